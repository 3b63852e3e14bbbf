"""Authentication with an email address and a password, within the limits on login attempts."""

from dataclasses import dataclass

from auth_service.authentication.users import login_throttle
from auth_service.authentication.users.login_throttle import LoginAttempt
from auth_service.authentication.users.passwords import Passwords
from auth_service.store.users import password_logins, users
from auth_service.store.users.password_logins import Admission, PasswordUse
from auth_service.store.users.users import Credentials
from auth_service.vocabulary.acr import PASSWORD
from auth_service.vocabulary.authentication_result import PWD, AuthenticationResult
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store


@dataclass(frozen=True)
class PasswordAuthentication:
    """The password was right. `credential` is checked once more by the unit of work that begins the login session."""

    result: AuthenticationResult
    credential: PasswordUse
    password_generation: int
    admission: Admission


@dataclass(frozen=True)
class LoginRefused:
    """No such user, a wrong password, or a disabled user. The response does not tell which."""


@dataclass(frozen=True)
class LoginThrottled:
    """Too many attempts. The next one is admitted in `retry_after` seconds."""

    retry_after: int


class PasswordLogin:
    def __init__(self, store: Store, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def authenticate(
        self, attempt: LoginAttempt, password: str
    ) -> PasswordAuthentication | LoginRefused | LoginThrottled:
        """Count the attempt and check the password.

        An unknown user costs as much time and as many writes as a wrong password. Raises TemporarilyUnavailable when
        too many passwords are being checked.
        """
        admission = await login_throttle.admit(self._store, attempt, now_ms=self._clock() * 1000)
        if admission.wait_ms:
            return LoginThrottled(retry_after=-(-admission.wait_ms // 1000))
        return await self._check(attempt, password, admission.credentials, admission)

    async def authenticate_again(
        self, attempt: LoginAttempt, password: str, admission: Admission
    ) -> PasswordAuthentication | LoginRefused:
        """Check the password against the hash that is stored now, without counting the attempt again.

        For an attempt whose `credential` was not current any more: another login may have replaced the hash by a
        better one. Raises TemporarilyUnavailable as `authenticate` does.
        """
        credentials = await self._store.read(users.find_credentials, attempt.email_key)
        return await self._check(attempt, password, credentials, admission)

    async def refuse(self, attempt: LoginAttempt) -> LoginRefused:
        """Write the failed attempt to the audit trail."""
        await self._store.write(password_logins.record_failed_login, attempt.failure, now_ms=self._clock() * 1000)
        return LoginRefused()

    async def _check(
        self, attempt: LoginAttempt, password: str, credentials: Credentials | None, admission: Admission
    ) -> PasswordAuthentication | LoginRefused:
        password_hash = credentials.password_hash if credentials else None
        try:
            verdict = await self._passwords.verify(password, password_hash, in_use=admission.costs)
        except TemporarilyUnavailable:
            await login_throttle.refund(self._store, admission)
            raise
        if credentials is None or not verdict.matches:
            return await self.refuse(attempt)
        result = AuthenticationResult(credentials.sub, acr=PASSWORD, amr=(PWD,), auth_time=self._clock())
        credential = PasswordUse(credentials, verdict.better_hash, admission.charged)
        return PasswordAuthentication(result, credential, credentials.password_generation, admission)
