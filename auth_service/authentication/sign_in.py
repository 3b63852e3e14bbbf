"""From an email address and a password to a login session."""

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth_service.acr import PASSWORD
from auth_service.authentication import guessing
from auth_service.authentication.guessing import Attempt
from auth_service.authentication.known_device import KnownDevices
from auth_service.authentication.login_session import LoginSessions, hash_cookie
from auth_service.authentication.passwords import Passwords
from auth_service.authentication.turnstile import Turnstile
from auth_service.store import logins, users
from auth_service.store.users import Credentials, email_key
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.store import Store, Unstorable

_WAITING = 64
"""Logins that may wait for those that are worked on; one more is told to come again."""


@dataclass(frozen=True)
class SignedIn:
    """`cookie` is the new login session's; `SignIn.set_cookies` puts it into the response."""

    sub: str
    email_key: str
    cookie: str


@dataclass(frozen=True)
class Refused:
    """No such user, no such password, or a disabled user: nobody is told which."""


@dataclass(frozen=True)
class Throttled:
    """Too many passwords were tried; the next is looked at in `retry_after` seconds."""

    retry_after: int


class SignIn:
    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        login_sessions: LoginSessions,
        known_devices: KnownDevices,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._login_sessions = login_sessions
        self._known_devices = known_devices
        self._clock = clock
        self.turnstile = Turnstile(at_once=passwords.threads + 2, waiting=_WAITING)
        """For all that a login takes, which is more than hashing: of many at once, each would delay every request by
        its share of the event loop. So many keep the threads that hash busy."""

    async def __call__(self, request: Request, *, email: str, password: str) -> SignedIn | Refused | Throttled:
        """Check the password and begin a login session, which replaces the one that the browser has.

        An unknown user costs as much time and as many writes as a wrong password.
        Raises TemporarilyUnavailable when too many passwords are being checked.
        """
        email = email.strip()
        key = email_key(email)
        address = request.client.host if request.client else ""
        attempt = Attempt(key, address, self._known_devices.day(request, key))
        wait = await guessing.allow(self._store, attempt, now_ms=self._clock() * 1000)
        if wait:
            return Throttled(retry_after=-(-wait // 1000))
        # Twice, if need be: a login beside this one may have replaced the hash by a better one meanwhile.
        for _ in range(2):
            credentials = await self._find_credentials(email)
            try:
                verdict = await self._passwords.verify(password, credentials.password_hash if credentials else None)
            except TemporarilyUnavailable:
                await guessing.refund(self._store, attempt)
                raise
            if credentials is None or not verdict.matches:
                return await self._refuse(attempt)
            cookie = secrets.token_urlsafe(32)
            has_begun = await self._store.write(
                logins.succeed,
                credentials,
                better_hash=verdict.better_hash,
                buckets=attempt.buckets,
                cookie_hash=hash_cookie(cookie),
                sid=secrets.token_urlsafe(16),
                acr=PASSWORD,
                replaces=self._login_sessions.cookie_hash(request),
                address=address,
                now=self._clock(),
                lifetime=self._login_sessions.lifetime,
            )
            if has_begun:
                return SignedIn(credentials.sub, key, cookie)
        return await self._refuse(attempt)

    def set_cookies(self, response: Response, signed_in: SignedIn) -> None:
        self._login_sessions.set_cookie(response, signed_in.cookie)
        self._known_devices.set_cookie(response, signed_in.email_key)

    async def _refuse(self, attempt: Attempt) -> Refused:
        await self._store.write(logins.fail, attempt.failure, now_ms=self._clock() * 1000)
        return Refused()

    async def _find_credentials(self, email: str) -> Credentials | None:
        try:
            return await self._store.read(users.find_credentials, email)
        except Unstorable:
            return None
