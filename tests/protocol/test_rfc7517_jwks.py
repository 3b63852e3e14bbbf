"""The JWK Set (RFC 7517): a key is published before it signs, and until its last token has expired."""

import pytest

from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import MASTER_KEY
from tests.support.relying_party import RelyingParty, answer_of, header_of

AHEAD = 60
KEPT = 300 + 60  # an access token's lifetime, and the verifiers' leeway


@pytest.fixture
def another_process(auth: AuthService) -> KeyRing:
    """The key ring of another process, as the commands `keys rotate` and `keys withdraw` have one."""
    master_key = MasterKey.load(MASTER_KEY, may_create=False)
    return KeyRing(
        auth.store, master_key, clock=auth.clock, ahead=AHEAD, keep_published=KEPT, lifetime=0, remembered=7_776_000
    )


async def published(rp: RelyingParty) -> list[str]:
    """The kids of the ES256 keys."""
    return [jwk["kid"] for jwk in (await rp.http.get("/jwks")).json()["keys"] if jwk["alg"] == "ES256"]


async def test_only_public_members_are_published(rp: RelyingParty) -> None:
    response = await rp.http.get("/jwks")
    es256, rs256 = sorted(response.json()["keys"], key=lambda jwk: str(jwk["alg"]))
    assert es256.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (es256["kty"], es256["crv"], es256["alg"], es256["use"]) == ("EC", "P-256", "ES256", "sig")
    assert rs256.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert (rs256["kty"], rs256["alg"], rs256["use"]) == ("RSA", "RS256", "sig")
    assert response.headers["content-type"] == "application/jwk-set+json"


async def test_a_new_key_is_published_before_it_signs(
    rp: RelyingParty, another_process: KeyRing, clock: MovableClock
) -> None:
    (old,) = await published(rp)
    new = await another_process.rotate()
    clock.advance(seconds=1)
    assert await published(rp) == [old, new]
    before = await rp.tokens()
    assert header_of(before["access_token"])["kid"] == header_of(before["id_token"])["kid"] == old

    clock.advance(seconds=AHEAD - 1)
    after = await rp.tokens()
    assert header_of(after["access_token"])["kid"] == header_of(after["id_token"])["kid"] == new
    assert (await rp.userinfo(before["access_token"])).status_code == 200

    clock.advance(seconds=KEPT - 1)
    assert await published(rp) == [old, new]
    clock.advance(seconds=1)
    assert await published(rp) == [new]
    # An id_token_hint may be signed by a key that is no longer published.
    assert "code" in answer_of(await rp.authorize(id_token_hint=before["id_token"], prompt="none"))


async def test_a_cache_keeps_the_keys_for_less_than_they_are_published_ahead(rp: RelyingParty) -> None:
    max_age = int((await rp.http.get("/jwks")).headers["cache-control"].partition("max-age=")[2])
    assert max_age < AHEAD


async def test_a_request_with_the_current_etag_is_answered_304(
    rp: RelyingParty, another_process: KeyRing, clock: MovableClock
) -> None:
    tag = (await rp.http.get("/jwks")).headers["etag"]
    for held in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        response = await rp.http.get("/jwks", headers={"If-None-Match": held})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
        assert "max-age" in response.headers["cache-control"]
    assert (await rp.http.get("/jwks", headers={"If-None-Match": '"another"'})).status_code == 200
    await another_process.rotate()
    clock.advance(seconds=1)
    response = await rp.http.get("/jwks", headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.headers["etag"] != tag


async def test_tokens_of_a_withdrawn_key_are_refused(
    rp: RelyingParty, another_process: KeyRing, clock: MovableClock
) -> None:
    tokens = await rp.tokens()
    (withdrawn,) = await published(rp)
    assert await another_process.withdraw(withdrawn)
    clock.advance(seconds=1)
    (successor,) = await published(rp)
    assert successor != withdrawn
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    assert (await rp.introspect(tokens["access_token"])).json() == {"active": False}
    assert answer_of(await rp.authorize(id_token_hint=tokens["id_token"]))["error"] == "invalid_request"
    # The login session and the refresh token do not depend on the signing key.
    renewed = (await rp.refresh(tokens["refresh_token"])).json()
    assert header_of(renewed["access_token"])["kid"] == successor
    assert (await rp.userinfo(renewed["access_token"])).status_code == 200


async def test_a_wrong_master_key_stops_the_start(auth_database_url: str) -> None:
    with pytest.raises(WrongMasterKey):
        async with running_auth_service(auth_database_url, master_key="B" * 42 + "A"):
            pass
