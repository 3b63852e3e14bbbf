"""/login: the only page on which a user types a password (OIDC Core §3.1.2.3)."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from auth_service.authentication.login_sessions import LoginSessions, fingerprint
from auth_service.authentication.users.password_login import LoginRefused, LoginThrottled
from auth_service.authentication.users.sign_in import Browser, SignedIn
from auth_service.authorization.authorizer import Authorizer, LoginDue
from auth_service.authorization.pending import BrowserState
from auth_service.authorization.request_source import resolve_request
from auth_service.clients.registry import ClientRegistry
from auth_service.endpoints.dependencies import (
    AuthorizerDep,
    ClockDep,
    DeviceCookieDep,
    LoginSessionsDep,
    LogoutDeliveryDep,
    MetricsDep,
    RegistryDep,
    SignInDep,
    StateSignerDep,
)
from auth_service.endpoints.pages.interaction_form import InteractionFormsDep
from auth_service.endpoints.pages.outcome_response import browser_state, respond
from auth_service.http.peer_address import peer_address
from auth_service.http.raw_route import RawRoute
from auth_service.http.redirects import redirect
from auth_service.http.route_traits import PAGE, POPUP
from auth_service.http.signed_state import SignedState, StateSigner
from auth_service.pages import page
from auth_service.pages.errors import FormExpired
from auth_service.settings.declarations import MAX_EMAIL_CHARACTERS
from tallystick.errors import TemporarilyUnavailable

router = APIRouter(include_in_schema=False, route_class=RawRoute)

_OPEN_TOO_LONG = "This page was open for more than an hour. Sign in again to go on."


class LoginForm:
    """Renders the login page."""

    def __init__(self, registry: ClientRegistry, state_signer: StateSigner) -> None:
        self._registry = registry
        self._state_signer = state_signer

    async def show(
        self,
        state: SignedState,
        *,
        signed_state: str | None = None,
        username: str | None = None,
        failure: str | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """`signed_state` is `state` as text, if the browser sent it. `username` None: the login_hint of the request."""
        request = await resolve_request(state.query)
        if username is None:
            username = request.form.get("login_hint", "")
        return page(
            "login",
            status=status,
            headers=headers,
            action="/login",
            hidden={"request": signed_state or self._state_signer.sign(state)},
            client=await self._registry.client(request.client_id or ""),
            username=username[:MAX_EMAIL_CHARACTERS],
            failure=failure,
        )


async def _login_form(registry: RegistryDep, state_signer: StateSignerDep) -> LoginForm:
    return LoginForm(registry, state_signer)


LoginFormDep = Annotated[LoginForm, Depends(_login_form)]


@router.get("/login", response_class=Response)
@PAGE
@POPUP
async def login_page(
    request: Request,
    authorizer: AuthorizerDep,
    forms: InteractionFormsDep,
    login_form: LoginFormDep,
    login_sessions: LoginSessionsDep,
    state_signer: StateSignerDep,
    clock: ClockDep,
) -> Response:
    """Show the login form, which carries the authorization request. Nothing is stored before the login.

    If the user's login session already satisfies the request, the request continues and no form is shown.
    """
    signed_state = request.query_params.get("request")
    failure = None
    try:
        state = SignedState("", clock()) if signed_state is None else await forms.verify_state(signed_state)
    except FormExpired as expired:
        state, signed_state, failure = SignedState(expired.query, clock()), None, _OPEN_TOO_LONG
    browser = await browser_state(request, login_sessions)
    if browser.login_session is not None:
        if not state.query:
            return redirect("/")
        outcome = await authorizer.continue_authorization(await authorizer.resume(state), browser)
        if not isinstance(outcome, LoginDue):
            return respond(outcome, state_signer)
    return await login_form.show(state, signed_state=signed_state, failure=failure)


@router.post("/login", response_class=Response)
@PAGE
@POPUP
async def login(
    request: Request,
    authorizer: AuthorizerDep,
    device_cookie: DeviceCookieDep,
    forms: InteractionFormsDep,
    login_form: LoginFormDep,
    login_sessions: LoginSessionsDep,
    logout_delivery: LogoutDeliveryDep,
    metrics: MetricsDep,
    sign_in: SignInDep,
    state_signer: StateSignerDep,
    clock: ClockDep,
) -> Response:
    """Check the password. Then continue the authorization request, or show the home page if there is none."""
    await request.body()  # before the queue, so that a slow sender does not occupy a place
    outcome: SignedIn | LoginRefused | LoginThrottled | None = None
    try:
        async with sign_in.slot(peer_address(request)):
            form = await forms.read(request)
            browser = Browser(
                peer_address(request),
                session_cookie=login_sessions.cookie.read(request),
                device_cookie=device_cookie.cookie.read(request),
            )
            outcome = await sign_in(browser, email=form.get("username", ""), password=form.get("password", ""))
            match outcome:
                case SignedIn():
                    metrics.logins.inc("signed_in")
                    logout_delivery.wake()  # the login may have ended another user's session in this browser
                    response = await _continue(form.state, outcome, authorizer, login_sessions, state_signer)
                    login_sessions.cookie.set(response, outcome.session_cookie)
                    device_cookie.cookie.set(response, outcome.device_cookie)
                    return response
                case LoginRefused():
                    metrics.logins.inc("refused")
                    return await login_form.show(
                        form.state,
                        signed_state=form["request"],
                        username=form.get("username", ""),
                        failure="That email and password do not match.",
                        status=401,
                    )
                case LoginThrottled(retry_after=seconds):
                    metrics.logins.inc("throttled")
                    return await login_form.show(
                        form.state,
                        signed_state=form["request"],
                        username=form.get("username", ""),
                        failure=_too_many_attempts(seconds),
                        status=429,
                        headers={"Retry-After": str(seconds)},
                    )
    except FormExpired as expired:
        return await login_form.show(SignedState(expired.query, clock()), failure=_OPEN_TOO_LONG)
    except TemporarilyUnavailable:
        if outcome is None:
            metrics.logins.inc("unavailable")
        raise


async def _continue(
    state: SignedState,
    signed_in: SignedIn,
    authorizer: Authorizer,
    login_sessions: LoginSessions,
    state_signer: StateSigner,
) -> Response:
    """The response after a login. The browser does not have the new login session's cookie yet."""
    if not state.query:
        return redirect("/")
    session_fingerprint = fingerprint(signed_in.session_cookie)
    login_session = await login_sessions.find(signed_in.session_cookie)
    browser = BrowserState(login_session, session_fingerprint, completed_page="login")
    pending = await authorizer.resume(replace(state, session_fingerprint=session_fingerprint))
    return respond(await authorizer.continue_authorization(pending, browser), state_signer)


def _too_many_attempts(seconds: int) -> str:
    return f"Too many attempts. Wait {seconds} second{'s' if seconds != 1 else ''}, then try again."
