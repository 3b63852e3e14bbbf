"""Sign a user in with a password: a slot in the queue, the check of the password, and a new login session."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from auth_service.authentication.login_sessions import LoginSessions
from auth_service.authentication.users.concurrency_limiter import ConcurrencyLimiter
from auth_service.authentication.users.device_cookie import DeviceCookie
from auth_service.authentication.users.login_throttle import LoginAttempt
from auth_service.authentication.users.password_login import (
    LoginRefused,
    LoginThrottled,
    PasswordAuthentication,
    PasswordLogin,
)
from auth_service.limits.buckets import network_of, site_of
from auth_service.settings.declarations import MAX_EMAIL_CHARACTERS
from auth_service.store.users.users import email_key

_MAX_WAITING = 64
"""Logins that may wait for a slot."""


@dataclass(frozen=True)
class Browser:
    """`address` is the IP address. The cookies are as they were sent; None for an absent one."""

    address: str
    session_cookie: str | None
    device_cookie: str | None


@dataclass(frozen=True)
class SignedIn:
    """The cookies to set in the browser."""

    session_cookie: str
    device_cookie: str


class SignIn:
    def __init__(
        self,
        password_login: PasswordLogin,
        login_sessions: LoginSessions,
        device_cookie: DeviceCookie,
        *,
        max_active: int,
    ) -> None:
        self._password_login = password_login
        self._login_sessions = login_sessions
        self._device_cookie = device_cookie
        self.limiter = ConcurrencyLimiter(max_active=max_active, max_waiting=_MAX_WAITING)

    def slot(self, address: str) -> AbstractAsyncContextManager[None]:
        """A slot for all the work of a login after the request's body was read.

        The queue is shared fairly between addresses. Raises TemporarilyUnavailable when it is full.
        """
        return self.limiter.slot(site_of(address), network_of(address))

    async def __call__(
        self, browser: Browser, *, email: str, password: str
    ) -> SignedIn | LoginRefused | LoginThrottled:
        """Check the password and begin a login session, which replaces the one that the browser has.

        An email that is too long is refused before any work is done. Raises TemporarilyUnavailable when too many
        passwords are being checked.
        """
        if len(email) > MAX_EMAIL_CHARACTERS:
            return LoginRefused()
        key = email_key(email.strip())
        attempt = LoginAttempt(key, browser.address, self._device_cookie.parse(browser.device_cookie, key))
        outcome = await self._password_login.authenticate(attempt, password)
        if not isinstance(outcome, PasswordAuthentication):
            return outcome
        signed_in = await self._begin(browser, attempt, outcome)
        if signed_in is None:
            repeated = await self._password_login.authenticate_again(attempt, password, outcome.admission)
            if not isinstance(repeated, PasswordAuthentication):
                return repeated
            signed_in = await self._begin(browser, attempt, repeated)
        return signed_in or await self._password_login.refuse(attempt)

    async def _begin(
        self, browser: Browser, attempt: LoginAttempt, authentication: PasswordAuthentication
    ) -> SignedIn | None:
        """None if the password or its hash was changed meanwhile, or the user disabled."""
        session_cookie = await self._login_sessions.begin(
            authentication.result,
            authentication.credential,
            replaces=browser.session_cookie,
            address=browser.address,
        )
        if session_cookie is None:
            return None
        device_cookie = self._device_cookie.issue(
            attempt.email_key, generation=authentication.password_generation, known=attempt.device
        )
        return SignedIn(session_cookie, device_cookie)
