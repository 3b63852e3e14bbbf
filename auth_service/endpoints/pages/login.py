"""/login: the one place where a password is typed (OIDC Core §3.1.2.3)."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from auth_service.authentication.login_sessions import fingerprint
from auth_service.authentication.users.password_login import LoginRefused, LoginThrottled
from auth_service.authentication.users.sign_in import Browser, SignedIn
from auth_service.authorization.interaction import NeedsConsent
from auth_service.composition import Provided, Provider
from auth_service.endpoints.oauth.authorize import answer, begun_from, next_step, parse_request, to_page
from auth_service.endpoints.pages.client_redirects import redirect
from auth_service.endpoints.pages.interaction_form import InteractionForm, open_sealed, read_interaction_form
from auth_service.http.peer_address import peer_address
from auth_service.http.signed_state import SignedState
from auth_service.pages import page
from auth_service.pages.errors import FormExpired
from auth_service.settings.declarations import MAX_EMAIL_CHARACTERS
from tallystick.errors import TemporarilyUnavailable

router = APIRouter(include_in_schema=False)

_OPEN_TOO_LONG = "This page was open for more than an hour. Sign in again to go on."


@router.get("/login", response_class=Response)
async def login_page(request: Request, provider: Provided) -> Response:
    """The form, which carries the authorization request that led here, so that nothing is stored before a login.

    To a user whose login session answers that request the form is not shown, and the request goes on.
    """
    sealed_text = request.query_params.get("request")
    failure = None
    try:
        sealed = None if sealed_text is None else await open_sealed(sealed_text, provider)
    except FormExpired as expired:
        sealed, failure = SignedState(expired.query, started=provider.clock(), session_fingerprint=""), _OPEN_TOO_LONG
        sealed_text = provider.state_signer.sign(sealed.query, started=sealed.started)
    login_session = await provider.login_sessions.current(request)
    if login_session is not None:
        if sealed is None or not sealed.query:
            return redirect("/")
        session_fingerprint = provider.login_sessions.fingerprint(request)
        step = await next_step(begun_from(sealed), login_session, provider, session_fingerprint=session_fingerprint)
        if isinstance(step, Response):
            return step
        if isinstance(step, NeedsConsent):
            return to_page("/consent", begun_from(sealed), provider)
    return await _form_for(provider, sealed_text, sealed.query if sealed else "", failure=failure)


@router.post("/login", response_class=Response)
async def login(request: Request, provider: Provided) -> Response:
    """Check the password; then go on with the authorization request, or to the front page if there was none."""
    await request.body()  # before the turn, so that a slow sender holds no place
    outcome: SignedIn | LoginRefused | LoginThrottled | None = None
    try:
        async with provider.sign_in.slot(peer_address(request)):
            form = await read_interaction_form(request, provider)
            browser = Browser(
                peer_address(request),
                session_cookie=provider.login_sessions.cookie.read(request),
                device_cookie=provider.device_cookie.cookie.read(request),
            )
            outcome = await provider.sign_in(browser, email=form.get("username", ""), password=form.get("password", ""))
            return await _answer(outcome, form, provider)
    except FormExpired as expired:
        return await _form_for(provider, None, expired.query, failure=_OPEN_TOO_LONG)
    except TemporarilyUnavailable:
        if outcome is None:
            provider.metrics.logins.inc("unavailable")
        raise


async def _answer(
    outcome: SignedIn | LoginRefused | LoginThrottled, form: InteractionForm, provider: Provider
) -> Response:
    logins = provider.metrics.logins
    match outcome:
        case SignedIn():
            logins.inc("signed_in")
            provider.logout_delivery.wake()  # whoever was signed in here before may have been signed out
            response = await _go_on(form, outcome, provider)
            provider.login_sessions.cookie.set(response, outcome.session_cookie)
            provider.device_cookie.cookie.set(response, outcome.device_cookie)
            return response
        case LoginRefused():
            logins.inc("refused")
            return await _form_again(form, provider, "That email and password do not match.", status=401)
        case LoginThrottled(retry_after=seconds):
            logins.inc("throttled")
            response = await _form_again(form, provider, _too_often(seconds), status=429)
            response.headers["Retry-After"] = str(seconds)
            return response


async def _go_on(form: InteractionForm, signed_in: SignedIn, provider: Provider) -> Response:
    if not form.sealed.query:
        return redirect("/")
    login_session = await provider.login_sessions.find(signed_in.session_cookie)
    session_fingerprint = fingerprint(signed_in.session_cookie)
    begun = replace(begun_from(form.sealed), session_fingerprint=session_fingerprint)
    return await answer(begun, login_session, provider, session_fingerprint=session_fingerprint, just_signed_in=True)


async def _form_again(form: InteractionForm, provider: Provider, failure: str, *, status: int) -> Response:
    username = form.get("username", "")[:MAX_EMAIL_CHARACTERS]
    return await _form(provider, form["request"], form.sealed.query, username=username, failure=failure, status=status)


async def _form_for(provider: Provider, sealed: str | None, query: str, *, failure: str | None) -> Response:
    """The form before anything was typed. Without `sealed` the query is sealed anew."""
    sealed = sealed or provider.state_signer.sign(query, started=provider.clock())
    hint = parse_request(query).form.get("login_hint", "")
    return await _form(provider, sealed, query, username=hint[:MAX_EMAIL_CHARACTERS], failure=failure)


async def _form(
    provider: Provider, sealed: str, query: str, *, username: str, failure: str | None = None, status: int = 200
) -> Response:
    client = await provider.registry.client(parse_request(query).client_id or "")
    return page(
        "login",
        status=status,
        action="/login",
        hidden={"request": sealed},
        client=client,
        username=username,
        failure=failure,
    )


def _too_often(seconds: int) -> str:
    return f"Too many attempts. Wait {seconds} second{'s' if seconds != 1 else ''}, then try again."
