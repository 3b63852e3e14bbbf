"""OpenID Connect Back-Channel Logout 1.0: the logout token, and which clients get one."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import ValidationError
from sqlalchemy import Connection, delete, func, select

from auth_service.store.clients import clients
from auth_service.store.schema import tables as t
from auth_service.store.users import users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL, OTHER_EMAIL, clients_with, declared_settings
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients
from tests.support.relying_party import RelyingParty, claims_of, header_of
from tests.support.waiting import until_it_is

pytestmark = pytest.mark.postgresql

ONE, TWO, THIRD = HOSTS
HOUR = 3600


@pytest.fixture
def receivers() -> LogoutReceivers:
    return LogoutReceivers()


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, receivers: LogoutReceivers) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_database_url, clock, receivers, client=listening_clients()) as running:
        yield running


async def log_out(rp: RelyingParty, id_token: str) -> None:
    assert "You are signed out" in (await rp.browser.open(f"/logout?id_token_hint={id_token}")).text


def sub_of(auth: AuthService, email: str = EMAIL) -> Any:
    return auth.store.read(users.find_sub, email)


# The token


async def test_a_logout_token_has_exactly_these_claims(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    id_token = (await rp.tokens())["id_token"]
    clock.advance(seconds=100)
    await log_out(rp, id_token)
    (claims,) = await receivers.told(ONE)
    (token,) = receivers.tokens(ONE)
    assert header_of(token).keys() == {"typ", "alg", "kid"}
    assert len(claims.pop("jti")) >= 22
    expected = claims_of(id_token)
    assert claims == {
        "iss": auth.settings.issuer,
        "aud": "app-one",
        "sub": expected["sub"],
        "sid": expected["sid"],
        "iat": clock(),
        "exp": clock() + 120,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }


async def test_a_logout_token_is_signed_with_the_algorithm_of_the_clients_id_tokens(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    two = auth.relying_party("app-two", rp.browser)
    await two.tokens()
    await log_out(rp, (await rp.tokens())["id_token"])
    keys = KeySet.import_key_set((await auth.http().get("/jwks")).json())
    for host, alg in ((ONE, "ES256"), (TWO, "RS256")):
        await receivers.told(host)
        (token,) = receivers.tokens(host)
        assert header_of(token)["alg"] == alg
        assert jwt.decode(token, keys, [alg]).claims == claims_of(token)


async def test_a_logout_token_is_neither_an_access_token_nor_an_id_token_hint(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    await log_out(rp, (await rp.tokens())["id_token"])
    await receivers.told(ONE)
    (token,) = receivers.tokens(ONE)
    assert (await rp.userinfo(token)).status_code == 401
    await rp.tokens()
    assert 'id="log-out"' in (await rp.browser.open(f"/logout?id_token_hint={token}")).text


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.org/out",
        "https://app.example.org/out#there",
        "https://user@app.example.org/",
        "out",
        "ftp://x/",
    ],
)
def test_a_backchannel_logout_uri_must_be_absolute_without_a_fragment_and_use_tls(uri: str) -> None:
    """§2.2. Without TLS only on loopback."""
    with pytest.raises(ValidationError):
        declared_settings("sqlite:///unused", client=clients_with({"app-one": {"backchannel_logout_uri": uri}}))


# Which clients get one


async def test_every_client_of_the_login_session_is_notified_about_that_session_only(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    two, elsewhere = auth.relying_party("app-two", rp.browser), auth.relying_party("app-one")
    id_token = (await rp.tokens())["id_token"]
    await two.tokens()
    await rp.tokens()  # a second code adds no second row
    await auth.relying_party("no-refresh", rp.browser).tokens()  # has no backchannel_logout_uri
    others = (await elsewhere.tokens())["id_token"]
    await log_out(rp, id_token)
    sid = claims_of(id_token)["sid"]
    for host, client_id in ((ONE, "app-one"), (TWO, "app-two")):
        (claims,) = await receivers.told(host)
        assert (claims["sid"], claims["aud"]) == (sid, client_id)
    await log_out(elsewhere, others)
    assert [claims["sid"] for claims in await receivers.told(ONE, 2)] == [sid, claims_of(others)["sid"]]
    assert receivers.requests.keys() == {ONE, TWO}
    await _nothing_waits(auth)


async def test_a_client_that_has_not_redeemed_its_code_is_notified(
    rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    await rp.authorization_code()
    await rp.browser.submit(await rp.browser.open("/logout"))
    await receivers.told(ONE)


async def test_a_second_sign_out_of_the_same_session_notifies_no_client(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    id_token = (await rp.tokens())["id_token"]
    cookie = dict(rp.browser.http.cookies)
    await log_out(rp, id_token)
    rp.browser.http.cookies.update(cookie)
    await log_out(rp, id_token)
    await auth.store.write(users.sign_out_user, await sub_of(auth), now=auth.clock())
    await receivers.told(ONE)
    await _nothing_waits(auth)
    assert len(receivers.requests[ONE]) == 1


def _disable(connection: Connection, sub: str, *, now: int) -> None:
    users.disable_user(connection, sub, by="command", now=now)


def _new_password(connection: Connection, sub: str, *, now: int) -> None:
    users.set_password_hash(connection, sub, "another hash", now=now)


@pytest.mark.parametrize("unit", [users.sign_out_user, _disable, _new_password])
async def test_ending_all_sessions_of_a_user_notifies_the_clients_of_each(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, unit: Callable[..., None]
) -> None:
    """As a command does, in another process."""
    here, elsewhere = await rp.tokens(), await auth.relying_party("app-one").tokens()
    other = auth.relying_party("app-one")
    await other.browser.sign_in(await other.authorize(), username=OTHER_EMAIL)
    await auth.store.write(unit, await sub_of(auth), now=auth.clock())
    told = {claims["sid"] for claims in await receivers.told(ONE, 2)}
    assert told == {claims_of(tokens["id_token"])["sid"] for tokens in (here, elsewhere)}
    await _nothing_waits(auth)
    assert len(receivers.requests[ONE]) == 2


async def test_a_login_of_another_user_in_the_browser_ends_the_session_and_notifies(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    first = claims_of((await rp.tokens())["id_token"])
    page = await rp.authorize(prompt="login")
    assert (await rp.browser.sign_in(page, username=OTHER_EMAIL)).status_code == 303
    (claims,) = await receivers.told(ONE)
    assert (claims["sub"], claims["sid"]) == (first["sub"], first["sid"])


async def test_a_new_login_of_the_same_user_continues_the_session_and_notifies_no_client(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    await rp.tokens()
    clock.advance(seconds=5)
    await rp.browser.sign_in(await rp.authorize(prompt="login"))
    await _nothing_waits(auth)
    assert not receivers.requests


async def test_an_expired_session_notifies_no_client(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    await rp.tokens()
    clock.advance(seconds=40 * 24 * HOUR)
    await auth.relying_party("app-two").tokens()  # this prunes expired rows
    await _nothing_waits(auth)
    assert not receivers.requests


async def test_a_sign_out_of_an_idle_session_notifies_its_clients(
    rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    id_token = (await rp.tokens())["id_token"]
    clock.advance(seconds=10 * HOUR)
    await log_out(rp, id_token)
    await receivers.told(ONE)


async def test_a_sign_out_notifies_clients_with_offline_access_and_keeps_their_tokens(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    """§2.7: it revokes the tokens without offline_access, and notifies both clients."""
    third = auth.relying_party("third-party", rp.browser)
    online = await rp.tokens()
    offline = await third.tokens(scope="openid offline_access", prompt="consent")
    await log_out(rp, online["id_token"])
    for host in (ONE, THIRD):
        (claims,) = await receivers.told(host)
        assert claims["sid"] == claims_of(offline["id_token"])["sid"]
    assert (await rp.refresh(online["refresh_token"])).status_code == 400
    assert (await third.refresh(offline["refresh_token"])).status_code == 200


async def test_a_disabled_client_is_not_notified_even_of_earlier_sign_outs(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    id_token = (await rp.tokens())["id_token"]
    await auth.relying_party("app-two", rp.browser).tokens()
    elsewhere = auth.relying_party("app-one")
    others = (await elsewhere.tokens())["id_token"]
    await log_out(rp, id_token)
    await receivers.told(ONE)
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    assert await auth.store.read(waiting) == 0
    await log_out(elsewhere, others)
    await receivers.told(TWO)
    await _nothing_waits(auth)
    assert len(receivers.requests[ONE]) == 1


async def test_the_deliveries_of_a_deleted_client_are_removed(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    receivers.answers[ONE] = 503
    await log_out(rp, (await rp.tokens())["id_token"])
    await receivers.told(ONE)
    await auth.store.write(lambda connection: connection.execute(delete(t.clients)).rowcount)
    assert await auth.store.read(waiting) == 0


async def test_a_client_that_has_lost_its_backchannel_logout_uri_is_not_notified(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, auth_database_url: str
) -> None:
    await rp.tokens()
    async with running_auth_service(
        auth_database_url, auth.clock, receivers, client=listening_clients("app-two")
    ) as now:
        await auth.look_again()
        await now.store.write(users.sign_out_user, await sub_of(now), now=now.clock())
        await _nothing_waits(now)
    assert not receivers.requests


def waiting(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(t.logout_deliveries)).scalar_one()


async def _nothing_waits(auth: AuthService) -> None:
    async def is_empty() -> bool:
        return await auth.store.read(waiting) == 0

    await until_it_is(is_empty)
