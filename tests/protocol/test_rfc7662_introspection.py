"""Token introspection (RFC 7662): for the token's client and its API; to other clients every token is inactive."""

import pytest

from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty, claims_of, error_of

pytestmark = pytest.mark.postgresql

INACTIVE = {"active": False}


async def test_an_active_access_token_is_answered_with_its_claims(rp: RelyingParty) -> None:
    token = (await rp.tokens())["access_token"]
    response = await rp.introspect(token)
    assert response.json() == {"active": True, "token_type": "Bearer", **claims_of(token)}
    assert response.headers["cache-control"] == "no-store"


async def test_an_active_refresh_token_is_answered_with_its_facts(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens()
    assert (await rp.introspect(tokens["refresh_token"])).json() == {
        "active": True,
        "client_id": "app-one",
        "sub": claims_of(tokens["id_token"])["sub"],
        "scope": "openid notes:read",
        "iss": ISSUER,
        "exp": clock.now + 1_209_600,
    }


async def test_the_api_of_an_access_token_may_introspect_it(auth: AuthService, rp: RelyingParty) -> None:
    api = auth.relying_party("notes-api")
    tokens = await rp.tokens()
    assert (await api.introspect(tokens["access_token"])).json()["active"] is True
    assert (await api.introspect(tokens["refresh_token"])).json() == INACTIVE
    for_calendar = await rp.tokens(scope="openid calendar:read")
    assert (await api.introspect(for_calendar["access_token"])).json() == INACTIVE


async def test_to_other_clients_every_token_is_inactive(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for client_id in ("app-two", "bot"):
        for kind in ("access_token", "refresh_token"):
            assert (await auth.relying_party(client_id).introspect(tokens[kind])).json() == INACTIVE


async def test_a_public_client_and_an_unauthenticated_caller_are_refused(auth: AuthService) -> None:
    spa = auth.relying_party("spa")
    token = (await spa.tokens())["access_token"]
    assert error_of(await spa.introspect(token)) == (401, "invalid_client")
    assert error_of(await auth.http().post("/introspect", data={"token": token})) == (401, "invalid_client")


async def test_a_spent_expired_or_signed_out_token_is_inactive(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens()
    rotated = (await rp.refresh(tokens["refresh_token"])).json()
    assert (await rp.introspect(tokens["refresh_token"])).json() == INACTIVE
    assert (await rp.introspect(rotated["refresh_token"])).json()["active"] is True
    clock.advance(seconds=300)
    assert (await rp.introspect(rotated["access_token"])).json() == INACTIVE
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert (await rp.introspect(rotated["refresh_token"])).json() == INACTIVE


@pytest.mark.parametrize("token", ["unknown", "un.kno.wn", "A" * 71, "é", "\ud800".encode("utf-8", "surrogatepass")])
async def test_an_unknown_token_is_inactive_or_refused(rp: RelyingParty, token: str | bytes) -> None:
    response = await rp.introspect(token)  # type: ignore[arg-type]
    assert (response.status_code, response.json().get("active")) in {(200, False), (400, None)}


async def test_an_id_token_is_inactive(rp: RelyingParty) -> None:
    assert (await rp.introspect((await rp.tokens())["id_token"])).json() == INACTIVE
