"""Sign-in with a password, without an app: its parts over one store, and a browser that keeps the cookies."""

from dataclasses import dataclass

from auth_service.authentication.login_sessions import LoginSessions
from auth_service.authentication.users.device_cookie import DeviceCookie
from auth_service.authentication.users.password_login import LoginRefused, LoginThrottled, PasswordLogin
from auth_service.authentication.users.passwords import Passwords
from auth_service.authentication.users.sign_in import Browser, SignedIn, SignIn
from auth_service.store.users import users
from auth_service.store.users.login_sessions import Lifetime
from tallystick_service.store import Store
from tests.support.clock import MovableClock

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"
IDLE, ABSOLUTE = 28_800, 2_592_000


@dataclass
class CookieJar:
    """The cookies of one browser, which calls from `address`."""

    address: str = "192.0.2.1"
    session_cookie: str | None = None
    device_cookie: str | None = None

    @property
    def browser(self) -> Browser:
        return Browser(self.address, self.session_cookie, self.device_cookie)


@dataclass
class SignInParts:
    store: Store
    clock: MovableClock
    passwords: Passwords
    device_cookie: DeviceCookie
    login_sessions: LoginSessions
    sign_in: SignIn

    @classmethod
    def build(cls, store: Store, passwords: Passwords) -> "SignInParts":
        clock = MovableClock()
        device_cookie = DeviceCookie(lambda: [b"k" * 32], clock, is_https=True)
        login_sessions = LoginSessions(store, clock, Lifetime(IDLE, ABSOLUTE), is_https=True)
        password_login = PasswordLogin(store, passwords, clock)
        sign_in = SignIn(password_login, login_sessions, device_cookie, max_active=4)
        return cls(store, clock, passwords, device_cookie, login_sessions, sign_in)

    async def add_user(self, password_hash: str | None, email: str = EMAIL) -> str:
        return await self.store.write(
            users.add_user,
            email=email,
            password_hash=password_hash,
            claims={},
            roles=[],
            origin="command",
            now=self.clock(),
        )

    async def enter(
        self, jar: CookieJar, password: str = PASSWORD, *, email: str = EMAIL
    ) -> SignedIn | LoginRefused | LoginThrottled:
        """Send the login form. The browser keeps the cookies of the answer."""
        outcome = await self.sign_in(jar.browser, email=email, password=password)
        if isinstance(outcome, SignedIn):
            jar.session_cookie, jar.device_cookie = outcome.session_cookie, outcome.device_cookie
        return outcome
