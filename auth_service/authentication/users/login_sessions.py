"""The browser's signed-in state: which cookie carries it, and whose it is."""

import hashlib
import logging

from starlette.requests import Request
from starlette.responses import Response

from auth_service.http.cookies import Cookie
from auth_service.store.users import login_sessions
from auth_service.store.users.login_sessions import Lifetime, LoginSession
from tallystick import base64url
from tallystick.clock import Clock
from tallystick_service.store import Store, StoreUnavailable

_log = logging.getLogger(__name__)


class LoginSessions:
    """The cookie `login_session` holds 256 random bits, the store their SHA-256."""

    def __init__(self, store: Store, clock: Clock, lifetime: Lifetime, *, is_https: bool) -> None:
        self._store = store
        self._clock = clock
        self.lifetime = lifetime
        self._cookie = Cookie("login_session", lifetime=lifetime.absolute, is_https=is_https)

    async def current(self, request: Request) -> LoginSession | None:
        """Who is signed in, in this browser; None when the session has ended or the user is disabled."""
        cookie_hash = self.cookie_hash(request)
        return None if cookie_hash is None else await self.find(cookie_hash)

    async def find(self, cookie_hash: bytes) -> LoginSession | None:
        """The live session of a cookie, which is also noted as seen."""
        now = self._clock()
        found = await self._store.read(login_sessions.find_login_session, cookie_hash, now=now, lifetime=self.lifetime)
        if found is None:
            return None
        session, is_time_to_write = found
        if is_time_to_write:
            try:
                await self._store.write(login_sessions.record_last_seen, session.sid, now=now)
            except StoreUnavailable:
                # The page needs no write; the idle limit is pushed back by a later one.
                _log.warning("could not write when a login session was last seen")
        return session

    async def end(self, request: Request) -> bool:
        """Sign out: the session ends, and what lives under it. False when there is none."""
        cookie_hash = self.cookie_hash(request)
        if cookie_hash is None:
            return False
        return await self._store.write(login_sessions.end_login_session, cookie_hash, now=self._clock())

    def cookie_hash(self, request: Request) -> bytes | None:
        """None for a browser without a cookie of ours, or with one that we cannot have made."""
        cookie = self._cookie.read(request)
        try:
            return None if cookie is None or len(base64url.decode(cookie)) != 32 else hash_cookie(cookie)
        except ValueError:
            return None

    def fingerprint(self, request: Request) -> str:
        """See `fingerprint`; "" for a browser without a cookie."""
        cookie_hash = self.cookie_hash(request)
        return "" if cookie_hash is None else fingerprint(cookie_hash)

    def set_cookie(self, response: Response, cookie: str) -> None:
        self._cookie.set(response, cookie)

    def expire_cookie(self, response: Response) -> None:
        self._cookie.expire(response)


def hash_cookie(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def fingerprint(cookie_hash: bytes) -> str:
    """16 characters that change at each login, as the cookie does, and tell nobody the cookie or its hash."""
    return base64url.encode(hashlib.sha256(b"fingerprint of " + cookie_hash).digest()[:12])
