"""The login page: the only page with a password field, and its protection against guessing and forged forms."""

import asyncio
import hashlib
import html
import re
from base64 import b64encode
from collections import Counter

import httpx
import pytest
from sqlalchemy import Connection, select

from auth_service.store.clients import clients
from auth_service.store.schema.tables import users as users_table
from auth_service.store.users import users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import EMAIL, OTHER_EMAIL, PASSWORD, WRONG_PASSWORD
from tests.support.relying_party import RelyingParty, answer_of

EXPIRED = "This page was open for more than an hour. Sign in again to go on."


def message(page: httpx.Response) -> str:
    match = re.search(r'role="alert">(.*?)<', page.text)
    return match[1] if match else ""


@pytest.mark.postgresql
async def test_the_right_password_leads_back_to_the_client(rp: RelyingParty) -> None:
    page = await rp.authorize()
    assert "App One" in page.text
    assert answer_of(await rp.browser.sign_in(page)).keys() == {"code", "state", "iss"}


async def test_a_login_without_a_client_leads_to_the_home_page(auth: AuthService) -> None:
    home = await auth.browser().sign_in()
    assert (home.url.path, "Ada Lovelace" in home.text) == ("/", True)


async def test_case_and_spaces_of_the_email_do_not_matter(auth: AuthService) -> None:
    assert "Ada Lovelace" in (await auth.browser().sign_in(username=" Ada@Example.COM ")).text


@pytest.mark.postgresql
async def test_a_wrong_password_shows_the_form_again(rp: RelyingParty) -> None:
    page = await rp.browser.sign_in(await rp.authorize(), password=WRONG_PASSWORD)
    assert (page.status_code, message(page)) == (401, "That email and password do not match.")
    assert f'value="{EMAIL}"' in page.text
    assert WRONG_PASSWORD not in page.text
    assert "code" in answer_of(await rp.browser.sign_in(page))


@pytest.mark.postgresql
async def test_unknown_and_disabled_users_get_the_same_response_as_a_wrong_password(
    auth: AuthService, rp: RelyingParty
) -> None:
    sub = await auth.store.read(users.find_sub, OTHER_EMAIL)
    assert sub
    await auth.store.write(users.disable_user, sub, by="command", now=auth.clock())
    page = await rp.authorize()
    answers = set()
    for username, password in ((EMAIL, WRONG_PASSWORD), ("nobody@example.com", PASSWORD), (OTHER_EMAIL, PASSWORD)):
        refused = await rp.browser.sign_in(page, username=username, password=password)
        kept = frozenset(name for name in refused.headers if name != "x-request-id")
        answers.add((refused.status_code, refused.text.replace(username, "USERNAME"), kept))
    assert len(answers) == 1


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("", ""),
        (EMAIL, ""),
        ("", PASSWORD),
        (EMAIL, PASSWORD + " "),
        (EMAIL, "x" * 5000),
        ("x" * 5000, PASSWORD),
        ("😀" * 60, "😀" * 60),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ],
)
async def test_unusual_input_is_a_failed_login(auth: AuthService, username: str, password: str) -> None:
    assert (await auth.browser().sign_in(username=username, password=password)).status_code == 401


@pytest.mark.parametrize("field", [b"%00", b"%FF", b"%ED%A0%80", b"\xff"])
async def test_a_field_that_is_not_text_is_refused(auth: AuthService, field: bytes) -> None:
    page = await auth.browser().open("/login")
    signed_state = re.findall(r'name="request" value="(.*?)"', page.text)[0]
    response = await auth.http().post(
        "/login",
        content=b"request=" + signed_state.encode() + b"&username=" + field + b"&password=" + field,
        headers={"Origin": auth.settings.issuer, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 400


@pytest.mark.parametrize("origins", [[], ["null"], [""], ["https://evil.example"], ["http://id.example.com"], 2 * [""]])
async def test_a_login_form_of_another_origin_is_refused(rp: RelyingParty, origins: list[str]) -> None:
    page = await rp.authorize()
    signed_state = page.url.params["request"]
    response = await rp.browser.http.post(
        "/login",
        data={"request": signed_state, "username": EMAIL, "password": PASSWORD},
        headers=[("Origin", origin) for origin in origins],
    )
    assert (response.status_code, "did not come from our own page" in response.text) == (403, True)
    assert not rp.browser.http.cookies


async def test_an_expired_login_form_is_shown_again(auth: AuthService, rp: RelyingParty) -> None:
    page = await rp.authorize(login_hint=EMAIL)
    auth.clock.advance(seconds=3601)
    submitted = await rp.browser.sign_in(page)
    reloaded = await rp.browser.open(str(page.url))
    for shown in (submitted, reloaded):
        assert (shown.status_code, message(shown)) == (200, EXPIRED)
        assert f'value="{EMAIL}"' in shown.text
        assert not rp.browser.http.cookies  # the password was not used
    auth.clock.advance(seconds=3600)
    assert "code" in answer_of(await rp.browser.sign_in(submitted))


async def test_an_expired_login_form_without_a_request_is_shown_again(auth: AuthService) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    auth.clock.advance(seconds=3601)
    shown = await browser.sign_in(page)
    assert (shown.status_code, message(shown)) == (200, EXPIRED)
    assert (await browser.sign_in(shown)).url.path == "/"


async def test_an_expired_consent_form_links_to_the_request(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    page = await rp.sign_in()
    auth.clock.advance(seconds=3601)
    expired = await rp.browser.allow(page)
    assert (expired.status_code, "open for too long" in expired.text) == (400, True)
    (restart_url,) = re.findall(r'class="button" href="(/authorize[^"]*)"', expired.text)
    page = await rp.browser.open(html.unescape(restart_url))
    assert "code" in answer_of(await rp.browser.allow(page))


@pytest.mark.parametrize("address", ["/logout", "/logout?state=1"])
async def test_an_expired_sign_out_form_links_to_the_sign_out_page(auth: AuthService, address: str) -> None:
    browser = auth.browser()
    await browser.sign_in()
    page = await browser.open(address)
    auth.clock.advance(seconds=3601)
    expired = await browser.submit(page)
    assert (expired.status_code, f'href="{address}"' in expired.text) == (400, True)


async def test_a_signed_in_user_who_reloads_the_login_page_continues_to_the_client(
    auth: AuthService, rp: RelyingParty
) -> None:
    """The user reloaded a second tab, or used the Back button."""
    page = await rp.authorize()
    elsewhere = await rp.authorize()
    await rp.browser.sign_in(elsewhere)
    assert "code" in answer_of(await rp.browser.open(str(page.url)))
    assert (await rp.browser.open("/login")).url.path == "/"
    third_party = auth.relying_party("third-party", auth.browser())
    page = await third_party.authorize()
    await third_party.browser.sign_in()
    assert (await third_party.browser.open(str(page.url))).url.path == "/consent"


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": 0}])
async def test_the_login_page_is_shown_again_if_the_request_needs_a_login_of_its_own(
    rp: RelyingParty, demand: dict[str, str]
) -> None:
    page = await rp.authorize(**demand)
    await rp.browser.sign_in(await rp.authorize())
    reloaded = await rp.browser.open(str(page.url))
    assert 'id="sign-in"' in reloaded.text
    assert "code" in answer_of(await rp.browser.sign_in(reloaded))


async def test_the_request_in_the_form_cannot_be_changed(rp: RelyingParty) -> None:
    page = await rp.authorize()
    signed_state = page.url.params["request"]
    body, _, tag = signed_state.partition(".")
    flipped = ("A" if body[40] != "A" else "B").join((body[:40], body[41:]))
    for forged in (f"{flipped}.{tag}", f"{body}.{'A' * 43}", body, f"{body}.", "", ".", "x" * 60_000, None):
        assert (await rp.browser.submit(page, username=EMAIL, password=PASSWORD, request=forged)).status_code == 400
    assert not rp.browser.http.cookies


async def test_the_request_is_checked_again_after_the_login(auth: AuthService, rp: RelyingParty) -> None:
    page = await rp.authorize()
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    await auth.look_again()
    assert 'id="error">invalid_client<' in (await rp.browser.sign_in(page)).text


@pytest.mark.postgresql
async def test_the_eleventh_wrong_password_of_one_address_is_throttled(auth: AuthService, rp: RelyingParty) -> None:
    """A browser that has signed in before, and other addresses, are not throttled."""
    known = auth.relying_party("app-one")
    await known.sign_in()
    page = await rp.authorize()
    statuses = [(await rp.browser.sign_in(page, password=WRONG_PASSWORD)).status_code for _ in range(11)]
    assert Counter(statuses) == {401: 10, 429: 1}
    throttled = await rp.browser.sign_in(page)
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "30")
    assert message(throttled) == "Too many attempts. Wait 30 seconds, then try again."

    assert "code" in answer_of(await known.browser.sign_in(await known.authorize(prompt="login")))
    elsewhere = auth.relying_party("app-one", auth.browser(address="198.51.100.7"))
    assert "code" in answer_of(await elsewhere.sign_in())
    auth.clock.advance(seconds=30)
    assert "code" in answer_of(await rp.browser.sign_in(page))


@pytest.mark.postgresql
async def test_wrong_passwords_for_unknown_accounts_are_throttled_too(auth: AuthService) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    for _ in range(10):
        await browser.sign_in(page, username="nobody@example.com")
    assert (await browser.sign_in(page, username="nobody@example.com")).status_code == 429


async def test_when_too_many_users_sign_in_at_the_same_time_the_rest_get_503(auth_sqlite_url: str) -> None:
    async with running_auth_service(auth_sqlite_url) as auth:
        browser = auth.browser()
        page = await browser.open("/login")
        emails = [f"nobody-{number}@example.com" for number in range(80)]
        responses = await asyncio.gather(*(browser.sign_in(page, username=email) for email in emails))
    assert {response.status_code for response in responses} == {401, 503}
    busy = next(response for response in responses if response.status_code == 503)
    assert busy.headers["retry-after"] == "1"
    assert 'id="error">temporarily_unavailable<' in busy.text


def django_hash(password: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"sea", 1000)
    return f"pbkdf2_sha256$1000$sea${b64encode(digest).decode()}"


def stored_hash(connection: Connection) -> str:
    password_hash = connection.execute(
        select(users_table.c.password_hash).where(users_table.c.email == "old@example.com")
    )
    return str(password_hash.scalar_one())


@pytest.mark.postgresql
@pytest.mark.usefixtures("real_hashes")
async def test_an_imported_password_hash_is_replaced_at_the_first_login(auth_database_url: str) -> None:
    old = {"email": "old@example.com", "password_hash": django_hash(PASSWORD)}
    async with running_auth_service(auth_database_url, user=[old]) as auth:
        assert (await auth.browser().sign_in(username="old@example.com", password=WRONG_PASSWORD)).status_code == 401
        assert (await auth.store.read(stored_hash)).startswith("pbkdf2_sha256$")
        for _ in range(2):
            assert "old@example.com" in (await auth.browser().sign_in(username="old@example.com")).text
            assert (await auth.store.read(stored_hash)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
