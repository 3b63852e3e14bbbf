"""Sign-in with a password: the limits, the hashes, and races with changes of the password."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth_service.authentication.users import login_throttle
from auth_service.authentication.users.login_throttle import LoginAttempt
from auth_service.authentication.users.password_login import (
    LoginRefused,
    LoginThrottled,
    PasswordAuthentication,
    PasswordLogin,
)
from auth_service.authentication.users.passwords import Passwords
from auth_service.authentication.users.sign_in import SignedIn
from auth_service.store.schema.tables import metadata
from auth_service.store.users import users
from auth_service.vocabulary.acr import PASSWORD as PASSWORD_ACR
from auth_service.vocabulary.authentication_result import AuthenticationResult
from auth_service.vocabulary.password_costs import PasswordCost
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tests.support.patience import patient_store
from tests.support.sign_in import EMAIL, PASSWORD, CookieJar, SignInParts

OUTDATED_HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = patient_store(f"sqlite:///{tmp_path}/auth.db")
    metadata.create_all(store.engine)
    yield store
    await store.close()


@pytest.fixture
async def parts(store: Store) -> AsyncIterator[SignInParts]:
    passwords = Passwords()
    yield SignInParts.build(store, passwords)
    passwords.close()


@pytest.fixture
async def sub(parts: SignInParts) -> str:
    return await parts.add_user(parts.passwords.hash(PASSWORD))


async def test_right_password_begins_a_login_session(parts: SignInParts, sub: str) -> None:
    jar = CookieJar()
    assert await parts.login_sessions.find(jar.session_cookie) is None
    assert isinstance(await parts.enter(jar), SignedIn)
    session = await parts.login_sessions.find(jar.session_cookie)
    assert session is not None
    assert (session.sub, session.email, session.auth_time) == (sub, EMAIL, parts.clock())


async def test_password_authentication_names_level_method_and_time(parts: SignInParts, sub: str) -> None:
    login = PasswordLogin(parts.store, parts.passwords, parts.clock)
    authentication = await login.authenticate(LoginAttempt(EMAIL, "192.0.2.1", None), PASSWORD)
    assert isinstance(authentication, PasswordAuthentication)
    assert authentication.result == AuthenticationResult(sub, PASSWORD_ACR, ("pwd",), parts.clock())


@pytest.mark.parametrize("email", [" ada@example.com\n", "ADA@Example.COM"])
async def test_email_is_matched_without_case_and_surrounding_space(parts: SignInParts, sub: str, email: str) -> None:
    assert isinstance(await parts.enter(CookieJar(), email=email), SignedIn)


async def test_unknown_users_are_refused_and_throttled_like_known_ones(parts: SignInParts, sub: str) -> None:
    for email in (EMAIL, "nobody@example.com", "", "\ud800\0@example.com", "x" * 254):
        outcomes = [await parts.enter(CookieJar(), "wrong", email=email) for _ in range(11)]
        assert outcomes == [LoginRefused()] * 10 + [LoginThrottled(retry_after=30)]


async def test_email_over_254_characters_is_refused_without_any_work(parts: SignInParts, sub: str) -> None:
    for email in ("x" * 255, "\u0315\u0334" * 5452, " " * 300 + EMAIL):
        outcomes = [await parts.enter(CookieJar(), email=email) for _ in range(300)]
        assert outcomes == [LoginRefused()] * 300
    with pytest.raises(ValueError, match="at most 254 characters"):
        users.email_key("x" * 255)


async def test_disabled_user_and_user_without_password_are_refused(parts: SignInParts, sub: str) -> None:
    await parts.store.write(users.disable_user, sub, by="command", now=parts.clock())
    await parts.add_user(None, email="bob@example.com")
    assert await parts.enter(CookieJar()) == LoginRefused()
    assert await parts.enter(CookieJar(), "", email="bob@example.com") == LoginRefused()


async def test_right_password_is_not_counted(parts: SignInParts, sub: str) -> None:
    for _ in range(12):
        assert isinstance(await parts.enter(CookieJar()), SignedIn)


async def test_right_password_is_not_checked_while_the_limit_is_exceeded(parts: SignInParts, sub: str) -> None:
    for _ in range(10):
        await parts.enter(CookieJar(), "wrong")
    assert await parts.enter(CookieJar()) == LoginThrottled(retry_after=30)
    parts.clock.advance(seconds=30)
    assert isinstance(await parts.enter(CookieJar()), SignedIn)


async def test_known_browser_is_admitted_while_others_exceed_the_limit(parts: SignInParts, sub: str) -> None:
    known = CookieJar()
    await parts.enter(known)
    for _ in range(11):
        await parts.enter(CookieJar(), "wrong")
    assert isinstance(await parts.enter(CookieJar()), LoginThrottled)
    assert isinstance(await parts.enter(known), SignedIn)


async def test_known_browser_keeps_its_device_id(parts: SignInParts, sub: str) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    known = parts.device_cookie.parse(jar.device_cookie, EMAIL)
    parts.clock.advance(seconds=86_400)
    await parts.enter(jar)
    assert known is not None
    assert parts.device_cookie.parse(jar.device_cookie, EMAIL) == known


async def test_device_cookie_from_before_a_password_change_is_ignored(parts: SignInParts, sub: str) -> None:
    known = CookieJar()
    await parts.enter(known)
    thief = CookieJar("198.51.100.1", known.session_cookie, known.device_cookie)
    await parts.store.write(users.set_password_hash, sub, parts.passwords.hash("another"), now=parts.clock())
    outcomes = [await parts.enter(thief, "wrong") for _ in range(11)]
    assert outcomes == [LoginRefused()] * 10 + [LoginThrottled(retry_after=30)]
    assert isinstance(await parts.enter(known, "another"), SignedIn)
    for _ in range(10):
        await parts.enter(CookieJar(), "wrong")
    assert isinstance(await parts.enter(CookieJar(), "another"), LoginThrottled)
    assert isinstance(await parts.enter(known, "another"), SignedIn)


async def test_attempt_refused_by_a_full_hashing_queue_is_not_counted(store: Store) -> None:
    passwords = Passwords(threads=1, queue=0)
    parts = SignInParts.build(store, passwords)
    busy = asyncio.create_task(passwords.verify("x", f"pbkdf2_sha256$5000000$seasalt${'A' * 43}="))
    await asyncio.sleep(0)
    for _ in range(12):
        with pytest.raises(TemporarilyUnavailable):
            await parts.enter(CookieJar())
    await busy
    passwords.close()


@pytest.mark.usefixtures("real_hashes")
async def test_outdated_hash_is_replaced_at_login(parts: SignInParts) -> None:
    await parts.add_user(OUTDATED_HASH)
    assert isinstance(await parts.enter(CookieJar(), "password"), SignedIn)
    credentials = await parts.store.read(users.find_credentials, EMAIL)
    assert credentials is not None
    assert (credentials.password_hash or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert isinstance(await parts.enter(CookieJar(), "password"), SignedIn)


@pytest.mark.usefixtures("real_hashes")
async def test_costs_in_use_are_those_of_all_stored_hashes_until_they_are_replaced(parts: SignInParts) -> None:
    assert await parts.store.read(users.password_costs) == ()
    await parts.add_user(OUTDATED_HASH)
    await parts.add_user("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", email="bob@example.com")
    await parts.add_user(None, email="carol@example.com")
    await parts.add_user("unreadable", email="dan@example.com")
    outdated, bcrypt = PasswordCost("argon2id$v=19$m=256,t=2,p=1", 1), PasswordCost("bcrypt", 32)
    assert await parts.store.read(users.password_costs) == (outdated, bcrypt)
    attempt = LoginAttempt("nobody@example.com", "192.0.2.1", None)
    assert (await login_throttle.admit(parts.store, attempt, now_ms=0)).costs == (outdated, bcrypt)
    await parts.enter(CookieJar(), "password")
    assert isinstance(await parts.enter(CookieJar(), "U*U", email="bob@example.com"), SignedIn)
    assert await parts.store.read(users.password_costs) == (PasswordCost("argon2id$v=19$m=19456,t=2,p=1", 1),)


async def test_concurrent_logins_that_both_replace_the_hash_both_succeed(parts: SignInParts) -> None:
    await parts.add_user(OUTDATED_HASH)
    outcomes = await asyncio.gather(*(parts.enter(CookieJar(), "password") for _ in range(2)))
    assert all(isinstance(outcome, SignedIn) for outcome in outcomes)


async def test_password_changed_after_its_check_begins_no_session(parts: SignInParts, sub: str) -> None:
    login = PasswordLogin(parts.store, parts.passwords, parts.clock)
    attempt = LoginAttempt(EMAIL, "192.0.2.1", None)

    async def begin(authentication: object) -> str | None:
        assert isinstance(authentication, PasswordAuthentication)
        return await parts.login_sessions.begin(
            authentication.result, authentication.credential, replaces=None, address="192.0.2.1"
        )

    old = await login.authenticate(attempt, PASSWORD)
    await parts.store.write(users.set_password_hash, sub, parts.passwords.hash("new"), now=parts.clock())
    assert await begin(old) is None
    assert await begin(await login.authenticate(attempt, "new")) is not None


async def test_user_disabled_after_the_check_of_the_password_begins_no_session(parts: SignInParts, sub: str) -> None:
    login = PasswordLogin(parts.store, parts.passwords, parts.clock)
    checked = await login.authenticate(LoginAttempt(EMAIL, "192.0.2.1", None), PASSWORD)
    assert isinstance(checked, PasswordAuthentication)
    await parts.store.write(users.disable_user, sub, by="command", now=parts.clock())
    assert await parts.login_sessions.begin(checked.result, checked.credential, replaces=None, address="") is None
