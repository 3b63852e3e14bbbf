"""The authorization code grant (RFC 6749 §4.1): a code is bound to its request, expires in a minute, and works once."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty, answered, error_of

pytestmark = pytest.mark.postgresql


async def test_a_code_gives_an_access_token_an_id_token_and_a_refresh_token(rp: RelyingParty) -> None:
    response = await rp.token(await rp.authorization_code())
    assert response.status_code == 200
    tokens = response.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 300, "openid notes:read")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"


async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(auth: AuthService) -> None:
    assert "refresh_token" not in await auth.relying_party("no-refresh").tokens()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"code": "not-a-code"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/callback"}, "invalid_grant"),
        ({"redirect_uri": "https://app-one.example.org/callback/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code_verifier": "b" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"code_verifier": "b" * 129}, "invalid_request"),
        ({"code_verifier": "b" * 42 + "é"}, "invalid_request"),
        ({"resource": "https://elsewhere.example.com"}, "invalid_target"),
    ],
)
async def test_a_token_request_that_differs_from_the_authorization_request_is_refused_and_does_not_spend_the_code(
    rp: RelyingParty, fault: dict[str, Any], error: str
) -> None:
    code = await rp.authorization_code()
    assert error_of(await rp.token(code, **fault)) == (400, error)
    assert (await rp.token(code)).status_code == 200


async def test_another_client_cannot_redeem_a_code(auth: AuthService, rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    other = auth.relying_party("app-two")
    assert error_of(await other.token(code, redirect_uri=rp.redirect_uri)) == (400, "invalid_grant")
    assert (await rp.token(code)).status_code == 200


async def test_failed_client_authentication_does_not_spend_the_code(rp: RelyingParty) -> None:
    code, secret = await rp.authorization_code(), rp.client_secret
    rp.client_secret = "a wrong secret"
    assert error_of(await rp.token(code)) == (401, "invalid_client")
    rp.client_secret = secret
    assert (await rp.token(code)).status_code == 200


@pytest.mark.parametrize(("age", "status"), [(59, 200), (60, 400)])
async def test_a_code_expires_after_a_minute(rp: RelyingParty, clock: MovableClock, age: int, status: int) -> None:
    code = await rp.authorization_code()
    clock.advance(seconds=age)
    assert (await rp.token(code)).status_code == status


async def test_a_code_works_once(rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    assert (await rp.token(code)).status_code == 200
    assert error_of(await rp.token(code)) == (400, "invalid_grant")


@pytest.mark.parametrize("age", [0, 3600])
async def test_a_replayed_code_revokes_its_token_family(rp: RelyingParty, clock: MovableClock, age: int) -> None:
    code = await rp.authorization_code()
    given = (await rp.token(code)).json()
    clock.advance(seconds=age)
    newest = (await rp.refresh(given["refresh_token"])).json()
    assert (await rp.userinfo(newest["access_token"])).status_code == 200

    assert error_of(await rp.token(code)) == (400, "invalid_grant")

    assert error_of(await rp.refresh(newest["refresh_token"])) == (400, "invalid_grant")
    assert (await rp.userinfo(newest["access_token"])).status_code == 401
    assert (await rp.introspect(newest["access_token"])).json() == {"active": False}


@pytest.mark.parametrize(
    "fault",
    [
        {"code_verifier": "b" * 43},
        {"code_verifier": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"resource": "https://elsewhere.example.com"},
    ],
)
async def test_a_replay_that_fails_another_check_does_not_revoke_the_family(
    rp: RelyingParty, fault: dict[str, Any]
) -> None:
    code = await rp.authorization_code()
    tokens = (await rp.token(code)).json()
    assert (await rp.token(code, **fault)).status_code == 400
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200


async def test_a_replay_by_another_client_does_not_revoke_the_family(auth: AuthService, rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    tokens = (await rp.token(code)).json()
    other = auth.relying_party("app-two")
    assert (await other.token(code, redirect_uri=rp.redirect_uri)).status_code == 400
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200


async def test_one_of_sixty_concurrent_redemptions_succeeds(rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    responses = answered(await asyncio.gather(*(rp.token(code) for _ in range(60))))
    assert Counter(response.status_code for response in responses) == {200: 1, 400: len(responses) - 1}
    assert {response.json()["error"] for response in responses if response.status_code == 400} == {"invalid_grant"}
    # The other redemptions were replays, so the family of the first one is revoked.
    (winner,) = (response.json() for response in responses if response.status_code == 200)
    assert error_of(await rp.refresh(winner["refresh_token"])) == (400, "invalid_grant")


async def test_a_code_cannot_be_redeemed_after_sign_out(rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert error_of(await rp.token(code)) == (400, "invalid_grant")


async def test_a_user_may_have_several_codes(rp: RelyingParty) -> None:
    first, second = await rp.authorization_code(), await rp.authorization_code()
    assert first != second
    assert (await rp.token(first)).status_code == (await rp.token(second)).status_code == 200
