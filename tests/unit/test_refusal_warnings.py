"""An API logs why it refuses tokens: one line a minute for each reason, with the expected audience."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tallystick.errors import InvalidToken
from tallystick.fastapi import Tallystick
from tallystick.refusal_warnings import INTERVAL_SECONDS, MAX_TEXT, RefusalWarnings
from tallystick.remote.issuer import RemoteIssuer
from tallystick.verifier import AsyncVerifier
from tests.support.clock import MovableClock
from tests.support.log_lines import LogLines, logging_as_served
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer, new_signing_key
from tests.support.verifiers import verifier_of


@pytest.fixture
async def verifier(issuer: TokenIssuer, clock: MovableClock) -> AsyncIterator[AsyncVerifier]:
    remote = RemoteIssuer(ISSUER, clock=clock, transport=issuer.transport)
    yield verifier_of(remote, clock)
    await remote.aclose()


def refusals(log: LogLines) -> list[dict[str, object]]:
    return [line for line in log.parsed if line["logger"] == "tallystick.refusals"]


async def refuse(verifier: AsyncVerifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_wrong_audience_is_logged_with_the_expected_one(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    with logging_as_served("WARNING") as log:
        await refuse(verifier, issuer.access_token(aud="https://other.example", sub="ada@example.com"))
    (line,) = refusals(log)
    assert (line["level"], line["reason"]) == ("warning", "wrong_audience")
    assert (line["token_audience"], line["expected_audience"]) == ("https://other.example", AUDIENCE)
    assert (line["token_issuer"], line["expected_issuer"]) == (ISSUER, ISSUER)
    assert AUDIENCE in str(line["message"])  # for a program that formats messages only
    assert "ada@" not in log.getvalue()


async def test_unknown_key_is_logged_with_the_issuer_of_the_token(
    verifier: AsyncVerifier, issuer: TokenIssuer, clock: MovableClock
) -> None:
    other = TokenIssuer(clock)
    other.key = new_signing_key()
    with logging_as_served("WARNING") as log:
        await refuse(verifier, other.access_token(iss="https://other-issuer.example"))
    (line,) = refusals(log)
    assert (line["reason"], line["token_issuer"]) == ("unknown_key", "https://other-issuer.example")


async def test_unverified_claims_are_logged_only_as_an_address(verifier: AsyncVerifier, clock: MovableClock) -> None:
    other = TokenIssuer(clock)
    other.key = new_signing_key()
    with logging_as_served("WARNING") as log:
        await refuse(verifier, other.access_token(iss="https://evil.example/?q=secret", aud="ada@example.com hunter2"))
    (line,) = refusals(log)
    assert (line["reason"], line["token_issuer"]) == ("unknown_key", "https://evil.example/")
    assert "hunter2" not in log.getvalue()
    assert "secret" not in log.getvalue()


async def test_refusals_for_one_reason_are_one_line_a_minute(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    with logging_as_served("INFO") as log:
        for _ in range(50):
            await refuse(verifier, issuer.access_token(aud="https://other.example"))
            await refuse(verifier, "no token at all")
    assert [line["reason"] for line in refusals(log)] == ["wrong_audience", "malformed"]


def test_next_line_has_the_number_of_omitted_lines() -> None:
    now = 0.0
    warnings = RefusalWarnings(lambda: now)
    with logging_as_served("INFO") as log:
        for _ in range(4):
            if warnings.is_due("expired"):
                warnings.write("expired")
        now += INTERVAL_SECONDS
        assert warnings.is_due("expired")
        warnings.write("expired")
    first, second = refusals(log)
    assert (first.get("left_out"), second["left_out"]) == (None, 3)


@pytest.mark.parametrize(
    ("claim", "logged"),
    [
        ("x\r\nforged: line\x1b[2J\u202e", "x\\r\\nforged: line\\x1b[2J\\u202e"),
        (["a", "b"], "['a', 'b']"),
        (None, "None"),
    ],
)
def test_claim_is_escaped(claim: object, logged: str) -> None:
    warnings = RefusalWarnings(lambda: 0.0)
    with logging_as_served("INFO") as log:
        warnings.write("wrong_audience", token_audience=claim)
    assert refusals(log)[0]["token_audience"] == logged


def test_claim_is_bounded() -> None:
    warnings = RefusalWarnings(lambda: 0.0)
    with logging_as_served("INFO") as log:
        warnings.write("wrong_audience", token_audience="é" * 100_000)
    assert len(str(refusals(log)[0]["token_audience"])) <= MAX_TEXT + 3


async def test_missing_scope_is_logged_with_the_required_scope(issuer: TokenIssuer, clock: MovableClock) -> None:
    auth = Tallystick(ISSUER, AUDIENCE, clock=clock, transport=issuer.transport)
    app = FastAPI()

    @app.get("/notes", dependencies=[auth.requires("notes:write")])
    async def notes() -> None: ...

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as http:
        with logging_as_served("INFO") as log:
            headers = {"Authorization": f"Bearer {issuer.access_token(scope='notes:read')}"}
            assert (await http.get("/notes", headers=headers)).status_code == 403
            assert (await http.get("/notes")).status_code == 401
    await auth.aclose()
    assert [(line["level"], line["reason"], line.get("needed_scope")) for line in refusals(log)] == [
        ("warning", "insufficient_scope", "notes:write"),
        ("info", "no_token", None),
    ]
