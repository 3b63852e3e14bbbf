"""Login sessions: the signed-in state of one browser, and the cookie that carries it."""

import hashlib
import logging
import secrets

from auth_service.http.cookies import Cookie
from auth_service.store.users import login_sessions
from auth_service.store.users.login_sessions import CredentialUse, Lifetime, LoginSession, NewLoginSession
from auth_service.vocabulary.authentication_result import AuthenticationResult
from tallystick import base64url
from tallystick.clock import Clock
from tallystick_service.store import Store, StoreUnavailable

_log = logging.getLogger(__name__)


class LoginSessions:
    """The cookie `login_session` holds 256 random bits. The store holds their SHA-256."""

    def __init__(self, store: Store, clock: Clock, lifetime: Lifetime, *, is_https: bool) -> None:
        self._store = store
        self._clock = clock
        self._lifetime = lifetime
        self.cookie = Cookie("login_session", lifetime=lifetime.absolute, is_https=is_https)

    async def begin(
        self, authentication: AuthenticationResult, credential: CredentialUse, *, replaces: str | None, address: str
    ) -> str | None:
        """Begin a login session and return its cookie.

        `credential` is what the user has authenticated with. `replaces` is the login session cookie that the browser
        has, `address` its IP address. None if the credential was changed meanwhile or the user was disabled; then
        nothing is stored.
        """
        cookie = secrets.token_urlsafe(32)
        new = NewLoginSession(
            cookie_hash=_hash(cookie),
            sid=secrets.token_urlsafe(16),
            authentication=authentication,
            replaces=cookie_hash(replaces),
            address=address,
        )
        has_begun = await self._store.write(
            login_sessions.begin_login_session, new, credential, now=self._clock(), lifetime=self._lifetime
        )
        return cookie if has_begun else None

    async def find(self, cookie: str | None) -> LoginSession | None:
        """The login session of a cookie, which is recorded as seen. None if it has ended or the user is disabled."""
        hashed = cookie_hash(cookie)
        if hashed is None:
            return None
        now = self._clock()
        found = await self._store.read(login_sessions.find_login_session, hashed, now=now, lifetime=self._lifetime)
        if found is None:
            return None
        session, is_time_to_write = found
        if is_time_to_write:
            try:
                await self._store.write(login_sessions.record_last_seen, session.sid, now=now)
            except StoreUnavailable:
                # The page needs no write. A later request extends the idle limit.
                _log.warning("could not write when a login session was last seen")
        return session

    async def end(self, cookie: str | None) -> bool:
        """End the login session and the token families under it. False if there is none."""
        hashed = cookie_hash(cookie)
        if hashed is None:
            return False
        return await self._store.write(login_sessions.end_login_session, hashed, now=self._clock())


def cookie_hash(cookie: str | None) -> bytes | None:
    """SHA-256 of the cookie; None for no cookie, or one that this service cannot have made."""
    try:
        return None if cookie is None or len(base64url.decode(cookie)) != 32 else _hash(cookie)
    except ValueError:
        return None


def fingerprint(cookie: str | None) -> str:
    """16 characters that change with each login, because the cookie does. "" for no cookie, or a malformed one.

    Neither the cookie nor its hash can be computed from it.
    """
    hashed = cookie_hash(cookie)
    return "" if hashed is None else base64url.encode(hashlib.sha256(b"fingerprint of " + hashed).digest()[:12])


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
