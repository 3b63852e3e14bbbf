"""From an email address and a password to a login session."""

import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth_service.authentication.users import login_throttle
from auth_service.authentication.users.concurrency_limiter import ConcurrencyLimiter
from auth_service.authentication.users.device_cookie import DeviceCookie, KnownDevice
from auth_service.authentication.users.login_sessions import LoginSessions, hash_cookie
from auth_service.authentication.users.login_throttle import Attempt
from auth_service.authentication.users.passwords import Passwords
from auth_service.limits.buckets import network_of, site_of
from auth_service.settings.declarations import MAX_EMAIL_CHARACTERS
from auth_service.store.users import logins, users
from auth_service.store.users.users import email_key
from auth_service.vocabulary.acr import PASSWORD
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store

_WAITING = 64
"""Logins that may wait for those that are worked on."""


@dataclass(frozen=True)
class SignedIn:
    """`cookie` is the new login session's; `SignIn.set_cookies` puts it into the response.

    `known` is what the browser's cookie said about the account, and `password_generation` what the next one will say.
    """

    sub: str
    email_key: str
    cookie: str
    password_generation: int
    known: KnownDevice | None


@dataclass(frozen=True)
class Refused:
    """No such user, no such password, or a disabled user: the answer does not tell which."""


@dataclass(frozen=True)
class Throttled:
    """Too many passwords were tried; the next is checked in `retry_after` seconds."""

    retry_after: int


class SignIn:
    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        login_sessions: LoginSessions,
        known_devices: DeviceCookie,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._login_sessions = login_sessions
        self._known_devices = known_devices
        self._clock = clock
        # Enough to keep the hashing threads busy; more at once would only delay all other requests.
        self.limiter = ConcurrencyLimiter(max_active=passwords.threads + 2, max_waiting=_WAITING)

    def slot(self, request: Request) -> AbstractAsyncContextManager[None]:
        """A place among the logins that are worked on, for everything that a login does after its body was read.

        The queue is shared fairly between addresses. Raises TemporarilyUnavailable when it is full.
        """
        address = _address_of(request)
        return self.limiter.slot(site_of(address), network_of(address))

    async def __call__(self, request: Request, *, email: str, password: str) -> SignedIn | Refused | Throttled:
        """Check the password and begin a login session, which replaces the one that the browser has.

        An unknown user costs as much time and as many writes as a wrong password. An email that is too long to be one
        costs nothing. Raises TemporarilyUnavailable when too many passwords are being checked.
        """
        if len(email) > MAX_EMAIL_CHARACTERS:  # before anything reads it
            return Refused()
        key = email_key(email.strip())
        address = _address_of(request)
        attempt = Attempt(key, address, self._known_devices.find(request, key))
        admission = await login_throttle.admit(self._store, attempt, now_ms=self._clock() * 1000)
        if admission.wait_ms:
            return Throttled(retry_after=-(-admission.wait_ms // 1000))
        credentials = admission.credentials
        for _ in range(2):
            try:
                password_hash = credentials.password_hash if credentials else None
                verdict = await self._passwords.verify(password, password_hash, in_use=admission.costs)
            except TemporarilyUnavailable:
                await login_throttle.refund(self._store, admission)
                raise
            if credentials is None or not verdict.matches:
                return await self._refuse(attempt)
            cookie = secrets.token_urlsafe(32)
            has_begun = await self._store.write(
                logins.succeed,
                credentials,
                better_hash=verdict.better_hash,
                charged=admission.charged,
                cookie_hash=hash_cookie(cookie),
                sid=secrets.token_urlsafe(16),
                acr=PASSWORD,
                replaces=self._login_sessions.cookie_hash(request),
                address=address,
                now=self._clock(),
                lifetime=self._login_sessions.lifetime,
            )
            if has_begun:
                return SignedIn(credentials.sub, key, cookie, credentials.password_generation, attempt.browser)
            # Another login may have replaced the hash by a better one meanwhile.
            credentials = await self._store.read(users.find_credentials, key)
        return await self._refuse(attempt)

    def set_cookies(self, response: Response, signed_in: SignedIn) -> None:
        self._login_sessions.set_cookie(response, signed_in.cookie)
        self._known_devices.set_cookie(
            response, signed_in.email_key, generation=signed_in.password_generation, known=signed_in.known
        )

    async def _refuse(self, attempt: Attempt) -> Refused:
        await self._store.write(logins.record_failed_login, attempt.failure, now_ms=self._clock() * 1000)
        return Refused()


def _address_of(request: Request) -> str:
    return request.client.host if request.client else ""
