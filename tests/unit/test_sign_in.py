"""Signing in with a password, and the login session that begins with it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from auth_service.authentication.users import login_throttle
from auth_service.authentication.users.device_cookie import DeviceCookie
from auth_service.authentication.users.login_sessions import LoginSessions, hash_cookie
from auth_service.authentication.users.login_throttle import Attempt
from auth_service.authentication.users.password_login import Refused, SignedIn, SignIn, Throttled
from auth_service.authentication.users.passwords import Passwords
from auth_service.store.schema.tables import metadata
from auth_service.store.users import logins, users
from auth_service.store.users.login_sessions import Lifetime
from auth_service.store.users.users import Credentials
from auth_service.vocabulary.password_costs import PasswordCost
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tests.support.clock import MovableClock
from tests.support.patience import patient_store

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"
OUTDATED_HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
IDLE, ABSOLUTE = 28_800, 2_592_000


@dataclass
class Browser:
    """Keeps cookies, and sends them from `address`."""

    address: str = "192.0.2.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def request(self) -> Request:
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return request(header, address=self.address)

    def receive(self, response: Response) -> None:
        for header in response.headers.getlist("set-cookie"):
            for morsel in SimpleCookie(header).values():
                self.cookies[morsel.key] = morsel.value


def request(*cookie_headers: str, address: str = "192.0.2.1") -> Request:
    headers = [(b"cookie", header.encode("latin-1")) for header in cookie_headers]
    return Request({"type": "http", "method": "POST", "headers": headers, "client": (address, 50_000)})


@dataclass
class House:
    store: Store
    clock: MovableClock
    passwords: Passwords
    login_sessions: LoginSessions
    sign_in: SignIn

    @classmethod
    def build(cls, store: Store, passwords: Passwords, *, is_https: bool = True) -> "House":
        clock = MovableClock()
        login_sessions = LoginSessions(store, clock, Lifetime(IDLE, ABSOLUTE), is_https=is_https)
        known_devices = DeviceCookie(lambda: [b"k" * 32], clock, is_https=is_https)
        sign_in = SignIn(store, passwords, login_sessions, known_devices, clock)
        return cls(store, clock, passwords, login_sessions, sign_in)

    async def add_user(self, password_hash: str | None, email: str = EMAIL) -> str:
        return await self.store.write(
            users.add_user,
            email=email,
            password_hash=password_hash,
            claims={},
            roles=[],
            origin="command",
            now=self.clock(),
        )

    async def enter(self, browser: Browser, password: str = PASSWORD) -> SignedIn | Refused | Throttled:
        outcome = await self.sign_in(browser.request(), email=EMAIL, password=password)
        if isinstance(outcome, SignedIn):
            response = Response()
            self.sign_in.set_cookies(response, outcome)
            browser.receive(response)
        return outcome


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = patient_store(f"sqlite:///{tmp_path}/auth.db")
    metadata.create_all(store.engine)
    yield store
    await store.close()


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    passwords = Passwords()
    yield House.build(store, passwords)
    passwords.close()


@pytest.fixture
async def sub(house: House) -> str:
    return await house.add_user(house.passwords.hash(PASSWORD))


async def test_the_right_password_signs_in(house: House, sub: str) -> None:
    browser = Browser()
    assert await house.login_sessions.current(browser.request()) is None
    assert isinstance(await house.enter(browser), SignedIn)
    session = await house.login_sessions.current(browser.request())
    assert session is not None
    assert (session.sub, session.email, session.auth_time) == (sub, EMAIL, house.clock())


@pytest.mark.parametrize("email", [" ada@example.com\n", "ADA@Example.COM"])
async def test_an_email_address_may_be_typed_carelessly(house: House, sub: str, email: str) -> None:
    assert isinstance(await house.sign_in(request(), email=email, password=PASSWORD), SignedIn)


async def test_nobody_learns_who_has_an_account(house: House, sub: str) -> None:
    for email in (EMAIL, "nobody@example.com", "", "\ud800\0@example.com", "x" * 254):
        outcomes = [await house.sign_in(request(), email=email, password="wrong") for _ in range(11)]
        assert outcomes == [Refused()] * 10 + [Throttled(retry_after=30)]


async def test_a_username_over_254_characters_is_refused_before_anything_reads_it(house: House, sub: str) -> None:
    for email in ("x" * 255, "\u0315\u0334" * 5452, " " * 300 + EMAIL):
        outcomes = [await house.sign_in(request(), email=email, password=PASSWORD) for _ in range(300)]
        assert outcomes == [Refused()] * 300
    with pytest.raises(ValueError, match="at most 254 characters"):
        users.email_key("x" * 255)


async def test_a_disabled_user_and_one_without_password_are_refused(house: House, sub: str) -> None:
    await house.store.write(users.disable_user, sub, by="command", now=house.clock())
    await house.add_user(None, email="bob@example.com")
    assert await house.enter(Browser()) == Refused()
    assert await house.sign_in(request(), email="bob@example.com", password="") == Refused()


async def test_a_right_password_is_not_counted(house: House, sub: str) -> None:
    for _ in range(12):
        assert isinstance(await house.enter(Browser()), SignedIn)


async def test_a_right_password_is_not_looked_at_when_too_many_were_tried(house: House, sub: str) -> None:
    for _ in range(10):
        await house.enter(Browser(), "wrong")
    assert await house.enter(Browser()) == Throttled(retry_after=30)
    house.clock.advance(seconds=30)
    assert isinstance(await house.enter(Browser()), SignedIn)


async def test_the_users_own_browser_is_let_in_while_strangers_guess(house: House, sub: str) -> None:
    own = Browser()
    await house.enter(own)
    for _ in range(11):
        await house.enter(Browser(), "wrong")
    assert isinstance(await house.enter(Browser()), Throttled)
    assert isinstance(await house.enter(own), SignedIn)


async def test_a_known_device_is_known_for_one_account_and_half_a_year(house: House, sub: str) -> None:
    devices = DeviceCookie(lambda: [b"k" * 32], house.clock, is_https=True)
    own = Browser()
    await house.enter(own)
    assert devices.find(own.request(), "bob@example.com") is None
    assert DeviceCookie(lambda: [b"K" * 32], house.clock, is_https=True).find(own.request(), EMAIL) is None
    house.clock.advance(seconds=180 * 86_400)
    assert devices.find(own.request(), EMAIL) is not None
    house.clock.advance(seconds=86_400)
    assert devices.find(own.request(), EMAIL) is None


async def test_each_browser_has_an_id_of_its_own_and_keeps_it(house: House, sub: str) -> None:
    devices = DeviceCookie(lambda: [b"k" * 32], house.clock, is_https=True)
    browsers = [Browser(), Browser()]
    seen = set()
    for browser in browsers * 2:
        await house.enter(browser)
        seen.add(devices.find(browser.request(), EMAIL))
        house.clock.advance(seconds=86_400)
    assert len(seen) == 2


async def test_a_known_device_cookie_from_before_a_password_change_is_ignored(house: House, sub: str) -> None:
    own = Browser()
    await house.enter(own)
    thief = Browser(address="198.51.100.1", cookies=dict(own.cookies))
    await house.store.write(users.set_password_hash, sub, house.passwords.hash("another"), now=house.clock())
    outcomes = [await house.enter(thief, "wrong") for _ in range(11)]
    assert outcomes == [Refused()] * 10 + [Throttled(retry_after=30)]
    assert isinstance(await house.enter(own, "another"), SignedIn)
    for _ in range(10):
        await house.enter(Browser(), "wrong")
    assert isinstance(await house.enter(Browser(), "another"), Throttled)
    assert isinstance(await house.enter(own, "another"), SignedIn)


@pytest.mark.parametrize(
    "cookie", ["", ".", "...", "20000.tag", "a.b.c.d", "a.1.1.", "é" * 50, "." * 10_000, "a" * 10_000, "1." * 80]
)
async def test_a_forged_known_device_cookie_is_ignored(house: House, cookie: str) -> None:
    devices = DeviceCookie(lambda: [b"k" * 32], house.clock, is_https=True)
    assert devices.find(request(f"__Host-known_device={cookie}"), EMAIL) is None


async def test_a_full_queue_costs_no_try(store: Store) -> None:
    passwords = Passwords(threads=1, queue=0)
    house = House.build(store, passwords)
    while_busy = asyncio.create_task(passwords.verify("x", f"pbkdf2_sha256$5000000$seasalt${'A' * 43}="))
    await asyncio.sleep(0)
    for _ in range(12):
        with pytest.raises(TemporarilyUnavailable):
            await house.enter(Browser())
    await while_busy
    passwords.close()


@pytest.mark.usefixtures("real_hashes")
async def test_an_outdated_hash_is_replaced_at_login(house: House) -> None:
    await house.add_user(OUTDATED_HASH)
    assert isinstance(await house.enter(Browser(), "password"), SignedIn)
    credentials = await house.store.read(users.find_credentials, EMAIL)
    assert credentials is not None
    assert (credentials.password_hash or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert isinstance(await house.enter(Browser(), "password"), SignedIn)


@pytest.mark.usefixtures("real_hashes")
async def test_a_failed_login_costs_what_the_costliest_imported_hash_does_until_it_is_replaced(house: House) -> None:
    assert await house.store.read(users.password_costs) == ()
    await house.add_user(OUTDATED_HASH)
    await house.add_user("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", email="bob@example.com")
    await house.add_user(None, email="carol@example.com")
    await house.add_user("unreadable", email="dan@example.com")
    outdated, bcrypt = PasswordCost("argon2id$v=19$m=256,t=2,p=1", 1), PasswordCost("bcrypt", 32)
    assert await house.store.read(users.password_costs) == (outdated, bcrypt)
    attempt = Attempt("nobody@example.com", "192.0.2.1", None)
    assert (await login_throttle.admit(house.store, attempt, now_ms=0)).costs == (outdated, bcrypt)
    await house.enter(Browser(), "password")
    assert isinstance(await house.sign_in(request(), email="bob@example.com", password="U*U"), SignedIn)
    assert await house.store.read(users.password_costs) == (PasswordCost("argon2id$v=19$m=19456,t=2,p=1", 1),)


async def test_two_logins_that_both_replace_the_hash_both_succeed(house: House) -> None:
    await house.add_user(OUTDATED_HASH)
    outcomes = await asyncio.gather(*(house.enter(Browser(), "password") for _ in range(2)))
    assert all(isinstance(outcome, SignedIn) for outcome in outcomes)


async def test_a_password_changed_meanwhile_lets_nobody_in_with_the_old_one(house: House, sub: str) -> None:
    old = await house.store.read(users.find_credentials, EMAIL)
    assert old is not None
    await house.store.write(users.set_password_hash, sub, house.passwords.hash("new"), now=house.clock())

    async def succeed(credentials: Credentials | None) -> bool:
        assert credentials is not None
        return await house.store.write(
            logins.succeed,
            credentials,
            better_hash=None,
            charged=[],
            cookie_hash=b"h" * 32,
            sid="sid",
            acr="pwd",
            replaces=None,
            address="192.0.2.1",
            now=house.clock(),
            lifetime=house.login_sessions.lifetime,
        )

    assert not await succeed(old)
    assert await succeed(await house.store.read(users.find_credentials, EMAIL))


@pytest.mark.parametrize(
    ("is_https", "expected"),
    [
        (True, "__Host-login_session={}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax; Secure"),
        (False, "login_session={}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax"),
    ],
)
async def test_the_cookie_is_out_of_reach(house: House, is_https: bool, expected: str) -> None:
    login_sessions = House.build(house.store, house.passwords, is_https=is_https).login_sessions
    response = Response()
    login_sessions.set_cookie(response, "value")
    assert response.headers["set-cookie"] == expected.format("value")
    response = Response()
    login_sessions.expire_cookie(response)
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert ("Secure" in response.headers["set-cookie"]) == is_https


async def test_two_login_cookies_are_none(house: House, sub: str) -> None:
    browser = Browser()
    await house.enter(browser)
    value = browser.cookies["__Host-login_session"]
    mine = f"__Host-login_session={value}"
    assert await house.login_sessions.current(request(f"a=b; {mine}; c")) is not None
    other = f"__Host-login_session={'A' * 43}"
    for headers in ([f"{mine}; {other}"], [other, mine], [f"{mine}; {mine}"]):
        assert await house.login_sessions.current(request(*headers)) is None


@pytest.mark.parametrize("value", ["", "short", "A" * 42, "A" * 44, "A" * 42 + "é", f'"{"A" * 43}"', "=" * 43])
async def test_a_malformed_cookie_is_none(house: House, value: str) -> None:
    malformed = request(f"__Host-login_session={value}")
    assert house.login_sessions.cookie_hash(malformed) is None
    assert house.login_sessions.fingerprint(malformed) == ""
    await house.login_sessions.end(malformed)


async def test_each_login_gives_another_cookie_and_fingerprint_to_the_same_session(house: House, sub: str) -> None:
    browser = Browser()
    seen = set()
    for _ in range(3):
        await house.enter(browser)
        session = await house.login_sessions.current(browser.request())
        assert session is not None
        seen.add((session.sid, house.login_sessions.fingerprint(browser.request())))
    assert len({sid for sid, _ in seen}) == 1
    assert len({fingerprint for _, fingerprint in seen}) == 3
    assert {len(fingerprint) for _, fingerprint in seen} == {16}


async def test_the_cookie_of_before_the_login_is_worth_nothing_after(house: House, sub: str) -> None:
    browser = Browser()
    await house.enter(browser)
    before = browser.request()
    await house.enter(browser)
    assert await house.login_sessions.current(before) is None


async def test_a_login_session_ends_by_signing_out(house: House, sub: str) -> None:
    browser = Browser()
    await house.enter(browser)
    await house.login_sessions.end(browser.request())
    assert await house.login_sessions.current(browser.request()) is None


async def test_a_login_session_ends_when_nobody_comes_and_in_any_case(house: House, sub: str) -> None:
    browser = Browser()
    await house.enter(browser)
    for _ in range(ABSOLUTE // (IDLE - 60)):
        house.clock.advance(seconds=IDLE - 60)
        assert await house.login_sessions.current(browser.request()) is not None
    house.clock.advance(seconds=IDLE - 60)
    assert await house.login_sessions.current(browser.request()) is None

    await house.enter(browser)
    house.clock.advance(seconds=IDLE)
    assert await house.login_sessions.current(browser.request()) is None


async def test_a_page_is_served_while_the_store_takes_no_writes(house: House, sub: str, tmp_path: Path) -> None:
    browser = Browser()
    await house.enter(browser)
    house.clock.advance(seconds=61)
    hasty = Store.open(f"sqlite:///{tmp_path}/auth.db", deadline=0.3)
    writer = sqlite3.connect(tmp_path / "auth.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    login_sessions = LoginSessions(hasty, house.clock, house.login_sessions.lifetime, is_https=True)
    try:
        assert await login_sessions.current(browser.request()) is not None
    finally:
        writer.close()
        await hasty.close()


def all_bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_the_store_does_not_hold_the_cookie(house: House, sub: str, tmp_path: Path) -> None:
    signed_in = await house.enter(Browser())
    assert isinstance(signed_in, SignedIn)
    kept = all_bytes_in(tmp_path)
    assert hash_cookie(signed_in.cookie) in kept
    assert signed_in.cookie.encode() not in kept
