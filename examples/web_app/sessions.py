"""Who is signed in to this app, in memory: after a restart the issuer lets people in again at one click."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from tallystick.clock import Clock, system_clock

IDLE = 8 * 3600
"""Seconds without a request after which an app session is forgotten."""

MOST = 10_000
"""App sessions at a time; one more, and the one idle the longest is forgotten."""


@dataclass(frozen=True)
class User:
    sub: str
    name: str
    email: str


@dataclass(frozen=True)
class Tokens:
    access_token: str
    expires_at: int
    """When the access token ends, Unix seconds by our own clock."""
    refresh_token: str | None
    id_token: str
    """The one from sign-in: it tells the issuer at sign-out whose login to end."""


@dataclass
class AppSession:
    user: User
    tokens: Tokens
    sid: str | None = None
    """The login at the issuer under which this one was opened, as its ID Token names it."""
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one request that spends the refresh token; the others wait for what it brings."""


class AppSessions:
    """App sessions by the SHA-256 of their cookie, least recently seen first, at most MOST of them."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._by_hash: OrderedDict[bytes, tuple[AppSession, int]] = OrderedDict()

    def open(self, session: AppSession) -> str:
        """Remember `session`; returns the cookie that leads back to it, 256 random bits."""
        cookie = secrets.token_urlsafe(32)
        self._by_hash[_hash(cookie)] = session, self._clock()
        self._forget_old_ones()
        return cookie

    def find(self, cookie: str) -> AppSession | None:
        self._forget_old_ones()
        found = self._by_hash.pop(_hash(cookie), None)
        if found is None:
            return None
        session, _ = found
        self._by_hash[_hash(cookie)] = session, self._clock()
        return session

    def close(self, cookie: str) -> None:
        self._by_hash.pop(_hash(cookie), None)

    def end(self, *, sid: str | None, sub: str | None) -> int:
        """Close all that were opened under the login `sid`, or if that is None, all of the user. Returns how many."""
        ended = [
            cookie_hash
            for cookie_hash, (session, _) in self._by_hash.items()
            if (session.sid == sid if sid is not None else session.user.sub == sub)
        ]
        for cookie_hash in ended:
            del self._by_hash[cookie_hash]
        return len(ended)

    def _forget_old_ones(self) -> None:
        # Every use moves a session to the end, so what has been idle longest is always first.
        while self._by_hash:
            _, last_seen = next(iter(self._by_hash.values()))
            if len(self._by_hash) <= MOST and last_seen + IDLE > self._clock():
                return
            self._by_hash.popitem(last=False)


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
