"""Which access tokens are believed: RFC 9068 §4, RFC 8725 §3."""

import json
from collections.abc import AsyncIterator

import pytest

from tallystick import verifier as module
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.remote.issuer import RemoteIssuer
from tallystick.verifier import Verifier
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT, AUDIENCE, ISSUER, TokenIssuer, jws, new_signing_key


@pytest.fixture
async def remote(issuer: TokenIssuer, clock: MovableClock) -> AsyncIterator[RemoteIssuer]:
    remote = RemoteIssuer(ISSUER, clock=clock, transport=issuer.transport)
    yield remote
    await remote.aclose()


@pytest.fixture
def verifier(remote: RemoteIssuer, clock: MovableClock) -> Verifier:
    return Verifier(remote, AUDIENCE, clock=clock)


async def test_a_good_token_is_believed(verifier: Verifier, issuer: TokenIssuer) -> None:
    claims = await verifier.verify(issuer.access_token(scope="notes:read notes:write", locale="en"))
    assert (claims.iss, claims.sub, claims.client_id) == (ISSUER, "user-1", "app-one")
    assert claims.scopes == {"notes:read", "notes:write"}
    assert claims.model_extra == {"locale": "en"}


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [AUDIENCE]},
        {"aud": ["https://other.example", AUDIENCE]},
        {"nbf": 1},
        {"scope": ABSENT},
        {"scope": ""},
        {"status": {"status_list": {"idx": 0, "uri": "https://id.example.com/status"}}},
        {"roles": ["editor"]},
        {"sub": "Ada Ünïcode 😀"},
        {"scopes": "a claim named like an attribute of ours"},
        {"exp": 10**30},
    ],
    ids=str,
)
async def test_what_the_rfcs_allow_is_believed(
    verifier: Verifier, issuer: TokenIssuer, change: dict[str, object]
) -> None:
    claims = await verifier.verify(issuer.access_token(**change))
    assert claims.scopes <= {"notes:read"}


async def test_only_a_space_parts_two_scopes(verifier: Verifier, issuer: TokenIssuer) -> None:
    claims = await verifier.verify(issuer.access_token(scope="notes:read\u00a0notes:write\tnotes:all"))
    assert len(claims.scopes) == 1


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "client_id", "jti", "iat", "exp"])
@pytest.mark.parametrize(
    "value",
    [ABSENT, None, True, 1.5, "", [], [5], {}, [["x"]]],
    ids=repr,
)
async def test_a_missing_or_wrongly_typed_claim_is_refused(
    verifier: Verifier, issuer: TokenIssuer, claim: str, value: object
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.access_token(**{claim: value}))


@pytest.mark.parametrize(
    "fault",
    [
        {"iss": f"{ISSUER}/"},
        {"iss": ISSUER.upper()},
        {"iss": f"{ISSUER}\u200b"},
        {"iss": [ISSUER]},
        {"aud": f"{AUDIENCE}/"},
        {"aud": f"{AUDIENCE} https://other.example"},
        {"aud": ["https://other.example"]},
        {"aud": [AUDIENCE, 5]},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: 1}},
        {"sub": 5},
        {"client_id": 5},
        {"jti": 5},
        {"iat": "5"},
        {"sub": "user-1\n"},
        {"sub": "user\x00-1"},
        {"sub": "\x7f"},
        {"sub": "user\u0085"},
        {"sub": "s" * 1025},
        {"client_id": "app\rone"},
        {"jti": "a\tb"},
        {"scope": ["notes:read"]},
        {"scope": None},
        {"nbf": "1"},
        {"nbf": True},
        {"roles": "editor"},
        {"roles": [1]},
        {"iat": 1.0},
        {"exp": 1e30},
        {"exp": "9999999999"},
        {"exp": -1},
        {"auth_time": "now"},
    ],
    ids=str,
)
async def test_a_claim_that_is_not_for_us_is_refused(
    verifier: Verifier, issuer: TokenIssuer, fault: dict[str, object]
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.access_token(**fault))


@pytest.mark.parametrize(("claim", "sign"), [("exp", -1), ("iat", 1), ("nbf", 1)])
async def test_clocks_may_be_a_minute_apart_and_no_more(
    verifier: Verifier, issuer: TokenIssuer, claim: str, sign: int
) -> None:
    now = issuer.clock.now
    assert await verifier.verify(issuer.access_token(**{claim: now + sign * LEEWAY}))
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.access_token(**{claim: now + sign * (LEEWAY + 1)}))


async def test_another_keys_signature_is_refused(verifier: Verifier, issuer: TokenIssuer) -> None:
    token = jws(json.dumps(issuer.header()), json.dumps(issuer.claims()), new_signing_key())
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize("token", ["", "\ud800", "a.b.c", "ä.ö.ü", "." * 10_000])
async def test_no_text_is_too_strange_to_be_refused(verifier: Verifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_stranger_learns_nothing_from_the_difference(verifier: Verifier, issuer: TokenIssuer) -> None:
    texts = ["x", issuer.access_token(exp=1), issuer.access_token(aud="x"), f"{issuer.access_token()[:-4]}AAAA"]
    descriptions = set()
    for token in texts:
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token)
        descriptions.add(refused.value.description)
    assert len(descriptions) == 1


async def test_the_log_tells_the_reason_and_no_claim(
    verifier: Verifier, issuer: TokenIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="tallystick"):
        for token in (issuer.access_token(aud="x"), issuer.access_token(client_id=["secret"])):
            with pytest.raises(InvalidToken):
                await verifier.verify(token)
    assert "another audience" in caplog.text
    assert "client_id" in caplog.text
    assert "secret" not in caplog.text


async def test_without_any_keys_it_is_not_the_tokens_fault(verifier: Verifier, issuer: TokenIssuer) -> None:
    issuer.is_away = True
    with pytest.raises(TemporarilyUnavailable):
        await verifier.verify(issuer.access_token())
    with pytest.raises(InvalidToken):
        await verifier.verify("not.a.token")


async def test_a_remembered_token_is_believed_again_while_the_issuer_is_away(
    verifier: Verifier, issuer: TokenIssuer
) -> None:
    token = issuer.access_token()
    claims = await verifier.verify(token)
    issuer.is_away = True
    assert await verifier.verify(token) is claims


async def test_a_remembered_token_expires_like_any_other(verifier: Verifier, issuer: TokenIssuer) -> None:
    token = issuer.access_token()
    claims = await verifier.verify(token)
    issuer.clock.advance(seconds=300)
    assert await verifier.verify(token) is not claims  # past exp it is judged again, each time
    issuer.clock.advance(seconds=LEEWAY + 1)
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_remembered_token_goes_with_its_key(
    verifier: Verifier, issuer: TokenIssuer, remote: RemoteIssuer
) -> None:
    token = issuer.access_token()
    await verifier.verify(token)
    issuer.rotate()
    await remote.key_set.refresh()
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_kid_that_comes_to_name_another_key_takes_its_tokens_along(
    verifier: Verifier, issuer: TokenIssuer, remote: RemoteIssuer
) -> None:
    token = issuer.access_token()
    await verifier.verify(token)
    old_kid = issuer.key.kid
    issuer.rotate()
    issuer.document = issuer.document.replace(issuer.key.kid.encode(), old_kid.encode())
    await remote.key_set.refresh()
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_the_memory_is_bounded(verifier: Verifier, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    first, *others = [issuer.access_token(jti=str(number)) for number in range(4)]
    forgotten = await verifier.verify(first)
    remembered = [await verifier.verify(token) for token in others]
    assert await verifier.verify(others[-1]) is remembered[-1]
    assert await verifier.verify(first) is not forgotten
