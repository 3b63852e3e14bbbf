"""The login session of one browser: its cookie, its lifetime, and its end."""

from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from auth_service.store.users import users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL, OTHER_EMAIL
from tests.support.relying_party import RelyingParty, answer_of, claims_of

pytestmark = pytest.mark.postgresql

COOKIE = "__Host-login_session"
HOUR = 3600


async def is_signed_in(rp: RelyingParty) -> bool:
    return "code" in answer_of(await rp.authorize(prompt="none"))


def cookies_of(response: httpx.Response) -> dict[str, Morsel[str]]:
    return {
        morsel.key: morsel
        for header in response.headers.get_list("set-cookie")
        for morsel in SimpleCookie(header).values()
    }


async def test_cookies_belong_to_this_host_and_are_hidden_from_scripts(rp: RelyingParty) -> None:
    cookies = cookies_of(await rp.sign_in())
    assert cookies.keys() == {COOKIE, "__Host-known_device"}
    for cookie in cookies.values():
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "lax")
        assert (cookie["secure"], cookie["httponly"]) == (True, True)


async def test_cookies_are_not_secure_on_loopback_without_tls(auth_database_url: str) -> None:
    async with running_auth_service(auth_database_url, issuer="http://localhost:8000") as auth:
        rp = auth.relying_party()
        cookies = cookies_of(await rp.sign_in())
        assert cookies.keys() == {"login_session", "known_device"}
        assert not any(cookie["secure"] for cookie in cookies.values())
        assert await is_signed_in(rp)


async def test_no_cookie_is_set_before_a_login(rp: RelyingParty) -> None:
    for page in (await rp.authorize(), await rp.browser.open("/"), await rp.browser.sign_in(password="wrong")):
        assert "set-cookie" not in page.headers


async def test_login_replaces_the_cookie_and_continues_the_session(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens()
    before = rp.browser.http.cookies[COOKIE]
    clock.advance(seconds=10)
    page = await rp.authorize(prompt="login")
    code = answer_of(await rp.browser.sign_in(page))["code"]
    assert rp.browser.http.cookies[COOKIE] != before
    again = (await rp.token(code)).json()
    assert claims_of(again["id_token"])["sid"] == claims_of(tokens["id_token"])["sid"]
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200
    rp.browser.http.cookies.set(COOKIE, before, domain="id.example.com")
    assert not await is_signed_in(rp)


async def test_planted_cookie_is_not_signed_in_by_the_victims_login(auth: AuthService, rp: RelyingParty) -> None:
    planted = "A" * 43
    rp.browser.http.cookies.set(COOKIE, planted, domain="id.example.com")
    await rp.sign_in()
    assert await is_signed_in(rp)
    attacker = auth.relying_party()
    attacker.browser.http.cookies.set(COOKIE, planted, domain="id.example.com")
    assert not await is_signed_in(attacker)


async def test_login_of_another_user_ends_the_session_of_the_first(rp: RelyingParty) -> None:
    first = await rp.tokens()
    page = await rp.authorize(prompt="login")
    code = answer_of(await rp.browser.sign_in(page, username=OTHER_EMAIL))["code"]
    second = (await rp.token(code)).json()
    assert claims_of(second["id_token"])["sub"] != claims_of(first["id_token"])["sub"]
    assert (await rp.refresh(first["refresh_token"])).status_code == 400
    assert (await rp.refresh(second["refresh_token"])).status_code == 200


@pytest.mark.parametrize(("idle", "stays"), [(8 * HOUR - 1, True), (8 * HOUR, False)])
async def test_session_ends_after_eight_idle_hours(
    rp: RelyingParty, clock: MovableClock, idle: int, stays: bool
) -> None:
    await rp.sign_in()
    clock.advance(seconds=idle)
    assert await is_signed_in(rp) is stays


async def test_session_ends_after_thirty_days_of_use(rp: RelyingParty, clock: MovableClock) -> None:
    await rp.sign_in()
    for _ in range(102):
        clock.advance(seconds=7 * HOUR)
        assert await is_signed_in(rp)
    clock.advance(seconds=6 * HOUR)
    assert not await is_signed_in(rp)


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 42 + "!", "A" * 100_000, '"A"'])
async def test_malformed_or_unknown_cookie_is_not_signed_in(rp: RelyingParty, cookie: str) -> None:
    response = await rp.http.get(rp.authorization_url(prompt="none"), headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer_of(response)["error"] == "login_required"


async def test_two_login_session_cookies_are_not_signed_in(rp: RelyingParty) -> None:
    await rp.sign_in()
    mine = rp.browser.http.cookies[COOKIE]
    twice = {"Cookie": f"{COOKIE}={mine}; {COOKIE}={'A' * 43}"}
    response = await rp.http.get(rp.authorization_url(prompt="none"), headers=twice)
    assert answer_of(response)["error"] == "login_required"


async def test_disabled_user_is_signed_out_also_after_being_enabled_again(auth: AuthService, rp: RelyingParty) -> None:
    await rp.sign_in()
    sub = await auth.store.read(users.find_sub, EMAIL)
    assert sub
    await auth.store.write(users.disable_user, sub, by="command", now=auth.clock())
    assert not await is_signed_in(rp)
    await auth.store.write(users.enable_user, sub, by="command", now=auth.clock())
    assert not await is_signed_in(rp)


async def test_code_cannot_be_redeemed_after_sign_out(rp: RelyingParty) -> None:
    await rp.sign_in()
    code = answer_of(await rp.authorize())["code"]
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert COOKIE not in rp.browser.http.cookies
    assert (await rp.token(code)).status_code == 400
