"""The app sessions, in memory. After a restart, users with a login at the issuer sign in without a password."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from tallystick.clock import Clock, system_clock

IDLE_TIMEOUT = 8 * 3600
"""Seconds without a request after which an app session is removed."""

MAX_SESSIONS = 10_000
"""When there are more, the session that has been idle the longest is removed."""


@dataclass(frozen=True)
class User:
    sub: str
    name: str
    email: str


@dataclass(frozen=True)
class Tokens:
    access_token: str
    expires_at: int
    """When the access token expires, in Unix seconds of this app's clock."""
    refresh_token: str | None
    id_token: str
    """The ID Token of the sign-in, which is the id_token_hint of the logout request."""


@dataclass
class AppSession:
    user: User
    tokens: Tokens
    sid: str | None = None
    """The login session at the issuer, as the ID Token names it."""
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the request that uses the refresh token. Other requests wait for its result."""


class AppSessions:
    """App sessions by the SHA-256 of their cookie, in the order of their last request."""

    def __init__(self, clock: Clock = system_clock, *, max_sessions: int = MAX_SESSIONS) -> None:
        self._clock = clock
        self._max_sessions = max_sessions
        self._by_hash: OrderedDict[bytes, tuple[AppSession, int]] = OrderedDict()

    def open(self, session: AppSession) -> str:
        """Store `session`; return its cookie, 256 random bits."""
        cookie = secrets.token_urlsafe(32)
        self._by_hash[_hash(cookie)] = session, self._clock()
        self._remove_idle()
        return cookie

    def find(self, cookie: str) -> AppSession | None:
        """Return the session, and restart its idle time."""
        self._remove_idle()
        found = self._by_hash.pop(_hash(cookie), None)
        if found is None:
            return None
        session, _ = found
        self._by_hash[_hash(cookie)] = session, self._clock()
        return session

    def close(self, cookie: str) -> None:
        self._by_hash.pop(_hash(cookie), None)

    def end(self, *, sid: str | None, sub: str | None) -> int:
        """Close all sessions of the login `sid`, or if that is None, of the user `sub`; return their number."""
        ended = [
            cookie_hash
            for cookie_hash, (session, _) in self._by_hash.items()
            if (session.sid == sid if sid is not None else session.user.sub == sub)
        ]
        for cookie_hash in ended:
            del self._by_hash[cookie_hash]
        return len(ended)

    def _remove_idle(self) -> None:
        while self._by_hash:
            _, last_seen = next(iter(self._by_hash.values()))  # of the session that has been idle the longest
            if len(self._by_hash) <= self._max_sessions and last_seen + IDLE_TIMEOUT > self._clock():
                return
            self._by_hash.popitem(last=False)


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
