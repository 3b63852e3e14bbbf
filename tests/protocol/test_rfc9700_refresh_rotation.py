"""Refresh tokens (RFC 6749 §6): one use each (RFC 9700 §4.14.2), and a grace period for a lost response."""

import asyncio
import base64
from typing import Any

import pytest

from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import CALENDAR
from tests.support.relying_party import RelyingParty, answered, claims_of, error_of
from tests.support.scraping import counted

pytestmark = pytest.mark.postgresql

__all__ = ["trail"]

DAY = 86_400
GRACE = 60
PUBLIC_GRACE = 10


async def refreshed(rp: RelyingParty, refresh_token: str, **changes: Any) -> dict[str, Any]:
    response = await rp.refresh(refresh_token, **changes)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def test_a_refresh_gives_new_tokens_of_the_same_login(rp: RelyingParty, clock: MovableClock) -> None:
    old = await rp.tokens()
    clock.advance(seconds=301)
    new = await refreshed(rp, old["refresh_token"])
    assert new.keys() == old.keys()
    assert new["refresh_token"] != old["refresh_token"]
    before, after = claims_of(old["access_token"]), claims_of(new["access_token"])
    assert after["jti"] != before["jti"]
    assert (after["iat"], after["exp"]) == (clock.now, clock.now + 300)
    for name in ("iss", "sub", "aud", "client_id", "scope", "auth_time"):
        assert after[name] == before[name]


async def test_a_refreshed_id_token_is_of_the_same_login(rp: RelyingParty, clock: MovableClock) -> None:
    old = await rp.tokens()
    clock.advance(seconds=301)
    before, after = claims_of(old["id_token"]), claims_of((await refreshed(rp, old["refresh_token"]))["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "sid"):  # OIDC Core §12.2
        assert after[name] == before[name]
    assert after["iat"] == clock.now
    assert "nonce" not in after


@pytest.mark.parametrize("age", [0, GRACE])
async def test_a_spent_token_gets_the_same_answer_within_the_grace_period(
    rp: RelyingParty, clock: MovableClock, age: int
) -> None:
    old = (await rp.tokens())["refresh_token"]
    new = (await refreshed(rp, old))["refresh_token"]
    clock.advance(seconds=age)
    assert (await refreshed(rp, old))["refresh_token"] == new
    assert (await rp.refresh(new)).status_code == 200


async def test_a_public_client_gets_the_same_answer_once_within_ten_seconds(
    auth: AuthService, clock: MovableClock
) -> None:
    rp = auth.relying_party("spa")
    old = (await rp.tokens())["refresh_token"]
    new = (await refreshed(rp, old))["refresh_token"]
    clock.advance(seconds=PUBLIC_GRACE)
    assert (await refreshed(rp, old))["refresh_token"] == new
    assert error_of(await rp.refresh(old)) == (400, "invalid_grant")
    newest = (await refreshed(rp, new))["refresh_token"]  # the third use was refused and did not revoke the family
    clock.advance(seconds=PUBLIC_GRACE + 1)
    assert error_of(await rp.refresh(new)) == (400, "invalid_grant")
    assert error_of(await rp.refresh(newest)) == (400, "invalid_grant")


async def test_the_grace_period_of_public_clients_is_not_longer_than_the_general_one(
    auth_sqlite_url: str, clock: MovableClock
) -> None:
    async with running_auth_service(auth_sqlite_url, clock, lifetimes={"refresh_token_grace": 0}) as auth:
        rp = auth.relying_party("spa")
        old = (await rp.tokens())["refresh_token"]
        await refreshed(rp, old)
        clock.advance(seconds=1)
        assert error_of(await rp.refresh(old)) == (400, "invalid_grant")


@pytest.mark.parametrize("client_id", ["spa", "app-one"])
async def test_a_repetition_within_the_grace_period_is_audited_and_counted(
    auth: AuthService, trail: Trail, client_id: str
) -> None:
    rp, kind = auth.relying_party(client_id), "public" if client_id == "spa" else "confidential"
    tokens = await rp.tokens()
    await refreshed(rp, tokens["refresh_token"])
    await trail.new()
    again = await counted(auth.http("127.0.0.1"), lambda: refreshed(rp, tokens["refresh_token"]))
    assert again[repeats(kind, "answered")] == 1
    (entry,) = await trail.new()
    assert (entry.event, entry.client_id) == ("refresh_token_repeated", client_id)
    assert entry.sub == claims_of(tokens["access_token"])["sub"]
    assert entry.sid == claims_of(tokens["id_token"])["sid"]
    third = await counted(auth.http("127.0.0.1"), lambda: rp.refresh(tokens["refresh_token"]))
    assert third[repeats(kind, "refused" if kind == "public" else "answered")] == 1
    assert await trail.new() == []  # one row for each generation; the metric counts every use


def repeats(kind: str, outcome: str) -> str:
    return f'tallystick_refresh_token_repeats_total{{client="{kind}",outcome="{outcome}"}}'


@pytest.mark.parametrize(
    "fault", [{"scope": "openid notes:read notes:write"}, {"scope": 'no"scope'}, {"resource": CALENDAR}]
)
async def test_a_replay_revokes_the_family_whatever_else_is_wrong_with_the_request(
    rp: RelyingParty, fault: dict[str, str]
) -> None:
    first = (await rp.tokens())["refresh_token"]
    second = (await refreshed(rp, first))["refresh_token"]
    third = (await refreshed(rp, second))["refresh_token"]
    assert error_of(await rp.refresh(first, **fault)) == (400, "invalid_grant")
    assert error_of(await rp.refresh(third)) == (400, "invalid_grant")


async def test_a_refused_request_within_the_grace_period_does_not_spend_the_repetition(auth: AuthService) -> None:
    rp = auth.relying_party("spa")
    first = (await rp.tokens())["refresh_token"]
    second = (await refreshed(rp, first))["refresh_token"]
    assert error_of(await rp.refresh(first, scope="openid notes:read notes:write")) == (400, "invalid_scope")
    assert (await refreshed(rp, first))["refresh_token"] == second


async def test_a_replay_after_the_grace_period_revokes_the_family(rp: RelyingParty, clock: MovableClock) -> None:
    old = (await rp.tokens())["refresh_token"]
    new = await refreshed(rp, old)
    clock.advance(seconds=GRACE + 1)
    assert error_of(await rp.refresh(old)) == (400, "invalid_grant")
    assert error_of(await rp.refresh(new["refresh_token"])) == (400, "invalid_grant")
    assert (await rp.userinfo(new["access_token"])).status_code == 401


async def test_a_replay_of_a_token_two_generations_old_revokes_the_family(rp: RelyingParty) -> None:
    first = (await rp.tokens())["refresh_token"]
    second = (await refreshed(rp, first))["refresh_token"]
    third = (await refreshed(rp, second))["refresh_token"]
    assert error_of(await rp.refresh(first)) == (400, "invalid_grant")
    assert error_of(await rp.refresh(third)) == (400, "invalid_grant")


async def test_a_replay_does_not_revoke_other_families(rp: RelyingParty, clock: MovableClock) -> None:
    one, other = (await rp.tokens())["refresh_token"], (await rp.tokens())["refresh_token"]
    await refreshed(rp, one)
    clock.advance(seconds=GRACE + 1)
    assert (await rp.refresh(one)).status_code == 400
    assert (await rp.refresh(other)).status_code == 200


async def test_concurrent_refreshes_of_a_public_client_get_one_successor_at_most_twice(auth: AuthService) -> None:
    rp = auth.relying_party("spa")
    token = (await rp.tokens())["refresh_token"]
    responses = answered(await asyncio.gather(*(rp.refresh(token) for _ in range(20))))
    assert {response.status_code for response in responses} <= {200, 400}
    successors = [response.json()["refresh_token"] for response in responses if response.status_code == 200]
    assert len(successors) <= 2
    (successor,) = set(successors)
    assert (await rp.refresh(successor)).status_code == 200


async def test_sixty_concurrent_refreshes_get_one_successor(rp: RelyingParty) -> None:
    token = (await rp.tokens())["refresh_token"]
    responses = answered(await asyncio.gather(*(rp.refresh(token) for _ in range(60))))
    assert {response.status_code for response in responses} == {200}
    (successor,) = {response.json()["refresh_token"] for response in responses}
    assert successor != token
    assert (await rp.refresh(successor)).status_code == 200


async def test_an_altered_token_is_refused_and_does_not_affect_the_family(rp: RelyingParty) -> None:
    token = (await rp.tokens())["refresh_token"]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        forged = base64.urlsafe_b64encode(altered).decode().rstrip("=")
        assert error_of(await rp.refresh(forged)) == (400, "invalid_grant")
    assert (await rp.refresh(token)).status_code == 200


@pytest.mark.parametrize("token", ["x", "." * 70, "A" * 71, "A" * 72, "é" * 71, "A" * 60_000])
async def test_a_malformed_token_is_refused(rp: RelyingParty, token: str) -> None:
    assert error_of(await rp.refresh(token)) == (400, "invalid_grant")


async def test_another_clients_refresh_token_is_refused_and_stays_valid(auth: AuthService, rp: RelyingParty) -> None:
    token = (await rp.tokens())["refresh_token"]
    assert error_of(await auth.relying_party("app-two").refresh(token)) == (400, "invalid_grant")
    assert (await rp.refresh(token)).status_code == 200


async def test_a_refresh_may_narrow_the_scope_of_the_access_token(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid notes:read notes:write")
    narrow = await refreshed(rp, tokens["refresh_token"], scope="notes:read")
    assert narrow["scope"] == claims_of(narrow["access_token"])["scope"] == "notes:read"
    assert "id_token" not in narrow
    # The refresh token keeps what was granted (RFC 6749 §6).
    assert (await refreshed(rp, narrow["refresh_token"]))["scope"] == "openid notes:read notes:write"


@pytest.mark.parametrize("scope", ["openid notes:read notes:write", "email", 'no"scope', "notes:read\tnotes:write"])
async def test_a_refresh_that_widens_the_scope_is_refused_and_spends_nothing(rp: RelyingParty, scope: str) -> None:
    first = (await rp.tokens())["refresh_token"]
    second = (await refreshed(rp, first))["refresh_token"]
    assert error_of(await rp.refresh(second, scope=scope)) == (400, "invalid_scope")
    assert (await refreshed(rp, first))["refresh_token"] == second
    assert (await rp.refresh(second)).status_code == 200


async def test_a_refresh_token_expires_after_fourteen_days_without_use(auth: AuthService, clock: MovableClock) -> None:
    rp = auth.relying_party()
    tokens = await rp.tokens(scope="openid offline_access")
    clock.advance(seconds=14 * DAY - 1)
    tokens = await refreshed(rp, tokens["refresh_token"])
    clock.advance(seconds=14 * DAY)
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_a_family_expires_after_ninety_days(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens(scope="openid offline_access")
    for _ in range(8):
        clock.advance(seconds=10 * DAY)
        tokens = await refreshed(rp, tokens["refresh_token"])
    clock.advance(seconds=10 * DAY - 1)
    tokens = await refreshed(rp, tokens["refresh_token"])
    clock.advance(seconds=1)
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_sign_out_revokes_the_refresh_tokens_of_the_login_session(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401


async def test_offline_access_survives_sign_out(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid offline_access notes:read")
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200


async def test_a_refresh_token_is_refused_when_its_login_session_is_idle(rp: RelyingParty, clock: MovableClock) -> None:
    token = (await rp.tokens())["refresh_token"]
    clock.advance(seconds=8 * 3600)
    assert error_of(await rp.refresh(token)) == (400, "invalid_grant")


async def test_a_refresh_counts_as_activity_in_the_login_session(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens()
    for _ in range(4):
        clock.advance(seconds=7 * 3600)
        tokens = await refreshed(rp, tokens["refresh_token"])
    assert "code=" in (await rp.authorize(prompt="none")).headers["location"]


async def test_a_client_without_the_refresh_token_grant_is_refused(auth: AuthService, rp: RelyingParty) -> None:
    token = (await rp.tokens())["refresh_token"]
    assert error_of(await auth.relying_party("no-refresh").refresh(token)) == (400, "unauthorized_client")
