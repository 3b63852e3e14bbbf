"""The access tokens that are accepted: RFC 9068 §4, RFC 8725 §3."""

import json
from collections.abc import AsyncIterator

import pytest

from tallystick import token_checker as module
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.remote.issuer import RemoteIssuer
from tallystick.verifier import AsyncVerifier
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT, AUDIENCE, ISSUER, TokenIssuer, jws, new_signing_key
from tests.support.verifiers import verifier_of


@pytest.fixture
async def remote(issuer: TokenIssuer, clock: MovableClock) -> AsyncIterator[RemoteIssuer]:
    remote = RemoteIssuer(ISSUER, clock=clock, transport=issuer.transport)
    yield remote
    await remote.aclose()


@pytest.fixture
async def verifier(remote: RemoteIssuer, clock: MovableClock) -> AsyncVerifier:
    return verifier_of(remote, clock)


async def test_good_token_is_accepted(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
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
        {"scopes": "a claim with the name of a property"},
        {"exp": 10**30},
    ],
    ids=str,
)
async def test_claims_that_the_rfcs_allow_are_accepted(
    verifier: AsyncVerifier, issuer: TokenIssuer, change: dict[str, object]
) -> None:
    claims = await verifier.verify(issuer.access_token(**change))
    assert claims.scopes <= {"notes:read"}


async def test_scopes_are_separated_by_spaces_only(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    claims = await verifier.verify(issuer.access_token(scope="notes:read\u00a0notes:write\tnotes:all"))
    assert len(claims.scopes) == 1


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "client_id", "jti", "iat", "exp"])
@pytest.mark.parametrize(
    "value",
    [ABSENT, None, True, 1.5, "", [], [5], {}, [["x"]]],
    ids=repr,
)
async def test_missing_or_wrongly_typed_claim_is_refused(
    verifier: AsyncVerifier, issuer: TokenIssuer, claim: str, value: object
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
async def test_claim_with_a_wrong_value_is_refused(
    verifier: AsyncVerifier, issuer: TokenIssuer, fault: dict[str, object]
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.access_token(**fault))


@pytest.mark.parametrize(("claim", "sign"), [("exp", -1), ("iat", 1), ("nbf", 1)])
async def test_times_have_one_minute_of_leeway(
    verifier: AsyncVerifier, issuer: TokenIssuer, claim: str, sign: int
) -> None:
    now = issuer.clock.now
    assert await verifier.verify(issuer.access_token(**{claim: now + sign * LEEWAY}))
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.access_token(**{claim: now + sign * (LEEWAY + 1)}))


async def test_signature_of_another_key_is_refused(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    token = jws(json.dumps(issuer.header()), json.dumps(issuer.claims()), new_signing_key())
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize("token", ["", "\ud800", "a.b.c", "ä.ö.ü", "." * 10_000])
async def test_arbitrary_text_is_refused(verifier: AsyncVerifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_description_is_the_same_for_every_reason(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    texts = ["x", issuer.access_token(exp=1), issuer.access_token(aud="x"), f"{issuer.access_token()[:-4]}AAAA"]
    descriptions = set()
    for token in texts:
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token)
        descriptions.add(refused.value.description)
    assert len(descriptions) == 1


async def test_debug_log_has_the_reason_and_no_claim(
    verifier: AsyncVerifier, issuer: TokenIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="tallystick"):
        for token in (issuer.access_token(aud="x"), issuer.access_token(client_id=["secret"])):
            with pytest.raises(InvalidToken):
                await verifier.verify(token)
    assert "another audience" in caplog.text
    assert "client_id" in caplog.text
    assert "secret" not in caplog.text


async def test_token_before_the_first_keys_is_temporarily_unavailable(issuer: TokenIssuer) -> None:
    issuer.is_away = True
    remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport)
    verifier = verifier_of(remote, issuer.clock)
    with pytest.raises(TemporarilyUnavailable):
        await verifier.verify(issuer.access_token())
    with pytest.raises(InvalidToken):
        await verifier.verify("not.a.token")
    await remote.aclose()


async def test_cached_verdict_is_used_while_the_issuer_is_away(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    token = issuer.access_token()
    claims = await verifier.verify(token)
    issuer.is_away = True
    assert await verifier.verify(token) is claims


async def test_cached_verdict_ends_with_the_token(verifier: AsyncVerifier, issuer: TokenIssuer) -> None:
    token = issuer.access_token()
    claims = await verifier.verify(token)
    issuer.clock.advance(seconds=300)
    assert await verifier.verify(token) is not claims  # between exp and the end of the leeway nothing is cached
    issuer.clock.advance(seconds=LEEWAY + 1)
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_cached_verdict_ends_when_its_key_is_withdrawn(
    verifier: AsyncVerifier, issuer: TokenIssuer, remote: RemoteIssuer
) -> None:
    token = issuer.access_token()
    await verifier.verify(token)
    issuer.rotate()
    await remote.key_set.refresh()
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_cached_verdict_ends_when_its_kid_names_another_key(
    verifier: AsyncVerifier, issuer: TokenIssuer, remote: RemoteIssuer
) -> None:
    token = issuer.access_token()
    await verifier.verify(token)
    old_kid = issuer.key.kid
    issuer.rotate()
    issuer.document = issuer.document.replace(issuer.key.kid.encode(), old_kid.encode())
    await remote.key_set.refresh()
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_verdict_cache_is_bounded(
    verifier: AsyncVerifier, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_VERDICTS", 3)
    first, *others = [issuer.access_token(jti=str(number)) for number in range(4)]
    evicted = await verifier.verify(first)
    cached = [await verifier.verify(token) for token in others]
    assert await verifier.verify(others[-1]) is cached[-1]
    assert await verifier.verify(first) is not evicted
