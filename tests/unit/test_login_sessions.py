"""Login sessions: the cookie, its hash in the store, and the end of a session."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from auth_service.authentication.login_sessions import LoginSessions, cookie_hash, fingerprint
from auth_service.authentication.users.passwords import Passwords
from auth_service.authentication.users.sign_in import SignedIn
from auth_service.store.schema.tables import metadata
from auth_service.store.users.login_sessions import Lifetime
from tallystick_service.store import Store
from tests.support.patience import patient_store
from tests.support.sign_in import ABSOLUTE, IDLE, PASSWORD, CookieJar, SignInParts


def request(*cookie_headers: str) -> Request:
    headers = [(b"cookie", header.encode("latin-1")) for header in cookie_headers]
    return Request({"type": "http", "method": "POST", "headers": headers, "client": ("192.0.2.1", 50_000)})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = patient_store(f"sqlite:///{tmp_path}/auth.db")
    metadata.create_all(store.engine)
    yield store
    await store.close()


@pytest.fixture
async def parts(store: Store) -> AsyncIterator[SignInParts]:
    passwords = Passwords()
    parts = SignInParts.build(store, passwords)
    await parts.add_user(passwords.hash(PASSWORD))
    yield parts
    passwords.close()


@pytest.mark.parametrize(
    ("is_https", "expected"),
    [
        (True, "__Host-login_session={}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax; Secure"),
        (False, "login_session={}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax"),
    ],
)
async def test_cookie_is_bound_to_the_host_and_hidden_from_scripts(
    parts: SignInParts, is_https: bool, expected: str
) -> None:
    cookie = LoginSessions(parts.store, parts.clock, Lifetime(IDLE, ABSOLUTE), is_https=is_https).cookie
    response = Response()
    cookie.set(response, "value")
    assert response.headers["set-cookie"] == expected.format("value")
    response = Response()
    cookie.expire(response)
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert ("Secure" in response.headers["set-cookie"]) == is_https


async def test_two_login_session_cookies_count_as_none(parts: SignInParts) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    read = parts.login_sessions.cookie.read
    mine = f"__Host-login_session={jar.session_cookie}"
    assert await parts.login_sessions.find(read(request(f"a=b; {mine}; c"))) is not None
    other = f"__Host-login_session={'A' * 43}"
    for headers in ([f"{mine}; {other}"], [other, mine], [f"{mine}; {mine}"]):
        assert await parts.login_sessions.find(read(request(*headers))) is None


@pytest.mark.parametrize("value", ["", "short", "A" * 42, "A" * 44, "A" * 42 + "é", f'"{"A" * 43}"', "=" * 43])
async def test_malformed_cookie_counts_as_none(parts: SignInParts, value: str) -> None:
    malformed = parts.login_sessions.cookie.read(request(f"__Host-login_session={value}"))
    assert cookie_hash(malformed) is None
    assert fingerprint(malformed) == ""
    assert await parts.login_sessions.find(malformed) is None
    assert not await parts.login_sessions.end(malformed)


async def test_each_login_changes_cookie_and_fingerprint_and_continues_the_session(parts: SignInParts) -> None:
    jar = CookieJar()
    seen = set()
    for _ in range(3):
        await parts.enter(jar)
        session = await parts.login_sessions.find(jar.session_cookie)
        assert session is not None
        seen.add((session.sid, fingerprint(jar.session_cookie)))
    assert len({sid for sid, _ in seen}) == 1
    assert len({fingerprint for _, fingerprint in seen}) == 3
    assert {len(fingerprint) for _, fingerprint in seen} == {16}


async def test_cookie_from_before_a_login_is_invalid_after_it(parts: SignInParts) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    before = jar.session_cookie
    await parts.enter(jar)
    assert await parts.login_sessions.find(before) is None


async def test_sign_out_ends_the_session(parts: SignInParts) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    await parts.login_sessions.end(jar.session_cookie)
    assert await parts.login_sessions.find(jar.session_cookie) is None


async def test_session_ends_after_its_idle_and_its_absolute_lifetime(parts: SignInParts) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    for _ in range(ABSOLUTE // (IDLE - 60)):
        parts.clock.advance(seconds=IDLE - 60)
        assert await parts.login_sessions.find(jar.session_cookie) is not None
    parts.clock.advance(seconds=IDLE - 60)
    assert await parts.login_sessions.find(jar.session_cookie) is None

    await parts.enter(jar)
    parts.clock.advance(seconds=IDLE)
    assert await parts.login_sessions.find(jar.session_cookie) is None


async def test_session_is_found_while_the_store_cannot_be_written(parts: SignInParts, tmp_path: Path) -> None:
    jar = CookieJar()
    await parts.enter(jar)
    parts.clock.advance(seconds=61)
    impatient = Store.open(f"sqlite:///{tmp_path}/auth.db", deadline=0.3)
    writer = sqlite3.connect(tmp_path / "auth.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    login_sessions = LoginSessions(impatient, parts.clock, Lifetime(IDLE, ABSOLUTE), is_https=True)
    try:
        assert await login_sessions.find(jar.session_cookie) is not None
    finally:
        writer.close()
        await impatient.close()


def all_bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_store_holds_the_hash_of_the_cookie_and_not_the_cookie(parts: SignInParts, tmp_path: Path) -> None:
    signed_in = await parts.enter(CookieJar())
    assert isinstance(signed_in, SignedIn)
    stored = all_bytes_in(tmp_path)
    assert (cookie_hash(signed_in.session_cookie) or b"absent") in stored
    assert signed_in.session_cookie.encode() not in stored
