"""/logout, the end_session_endpoint: OpenID Connect RP-Initiated Logout 1.0."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from auth_service.authentication.login_sessions import LoginSessions
from auth_service.authorization.redirect_trust import RedirectTrust
from auth_service.backchannel_logout.delivery_task import LogoutDeliveryTask
from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.endpoints.dependencies import (
    ClockDep,
    FormBody,
    LoginSessionsDep,
    LogoutDeliveryDep,
    MetricsDep,
    RedirectTrustDep,
    StateSignerDep,
)
from auth_service.endpoints.pages.interaction_form import InteractionFormsDep
from auth_service.endpoints.pages.logout_request import LogoutRequest, LogoutRequestParserDep
from auth_service.http.openapi import browser_endpoint
from auth_service.http.query import raw_query
from auth_service.http.raw_route import RawRoute
from auth_service.http.redirects import redirect
from auth_service.http.route_traits import PAGE, POPUP
from auth_service.http.signed_state import SignedState
from auth_service.pages import page
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import log_refusal
from tallystick.errors import InvalidRequest
from tallystick_service.asgi.request_facts import note_refused_address

router = APIRouter(tags=["OpenID Connect"], route_class=RawRoute)

PARAMETERS = {
    "id_token_hint": "An ID Token of the login that ends.",
    "client_id": "The client that sends the request.",
    "post_logout_redirect_uri": "The registered URL of the client to which the browser is redirected afterwards.",
    "state": "Added to the post_logout_redirect_uri.",
}
"""Those of §2, with their descriptions. `logout_hint` and `ui_locales` are ignored."""


class SignOut:
    """Ends the login of a browser."""

    def __init__(
        self,
        login_sessions: LoginSessions,
        logout_delivery: LogoutDeliveryTask,
        redirect_trust: RedirectTrust,
        metrics: AuthMetrics,
    ) -> None:
        self._login_sessions = login_sessions
        self._logout_delivery = logout_delivery
        self._redirect_trust = redirect_trust
        self._metrics = metrics

    async def complete(self, request: Request, logout_request: LogoutRequest, *, may_redirect: bool) -> Response:
        """End the login session, and lead back to the client: by a redirect (§3), or by a link on a page."""
        if await self._login_sessions.end(self._login_sessions.cookie.read(request)):
            self._metrics.revocations.inc("logout")
        self._logout_delivery.wake()
        response = self._response(logout_request, may_redirect=may_redirect)
        self._login_sessions.cookie.expire(response)
        return response

    def _response(self, logout_request: LogoutRequest, *, may_redirect: bool) -> Response:
        url, client = logout_request.return_url, logout_request.client
        if url is not None and may_redirect:
            return redirect(url)
        if url is not None and client is not None and not self._redirect_trust.is_vouched_for(client, url):
            return page("leaving", client=client, target=shown_target(url), url=url, error=None, is_signed_out=True)
        if logout_request.is_return_refused:
            note_refused_address(logout_request.post_logout_redirect_uri or "")
            log_refusal(InvalidRequest(reason="post_logout_redirect_uri_unregistered"), status=200)
        return page(
            "logged_out",
            client_name=client.client_name if client else None,
            return_url=url,
            is_return_refused=logout_request.is_return_refused,
        )


async def _sign_out(
    login_sessions: LoginSessionsDep,
    logout_delivery: LogoutDeliveryDep,
    redirect_trust: RedirectTrustDep,
    metrics: MetricsDep,
) -> SignOut:
    return SignOut(login_sessions, logout_delivery, redirect_trust, metrics)


SignOutDep = Annotated[SignOut, Depends(_sign_out)]


@router.get(
    "/logout",
    **browser_endpoint(
        pages={
            200: "The question whether to sign out, or the page that says that the user is signed out.",
            400: "The request is malformed, or its post_logout_redirect_uri is not registered for the client.",
            503: "The database does not answer; Retry-After gives the seconds to wait.",
        },
        redirect="A redirect to the post_logout_redirect_uri.",
        parameters=PARAMETERS,
    ),
)
@PAGE
@POPUP
async def logout(
    request: Request,
    parser: LogoutRequestParserDep,
    sign_out: SignOutDep,
    login_sessions: LoginSessionsDep,
    redirect_trust: RedirectTrustDep,
    state_signer: StateSignerDep,
    clock: ClockDep,
) -> Response:
    """Sign the user out if the hint belongs to this login; otherwise ask first (RP-Initiated Logout §2)."""
    query = raw_query(request)
    logout_request = await parser.parse(query)
    login_session = await login_sessions.find(login_sessions.cookie.read(request))
    client, url = logout_request.client, logout_request.return_url
    if login_session is None:
        # Without a genuine hint, an attacker may have written the link.
        is_trusted = (
            logout_request.hint is not None and client is not None and redirect_trust.is_vouched_for(client, url or "")
        )
        return await sign_out.complete(request, logout_request, may_redirect=is_trusted)
    if logout_request.names_login(login_session):
        return await sign_out.complete(request, logout_request, may_redirect=True)
    state = state_signer.sign(SignedState(query, clock()))
    return page(
        "logout",
        action="/logout/confirm",
        hidden={"request": state, "csrf": state_signer.csrf_token(login_session.sid, "logout", state)},
        client=client,
        user_email=login_session.email,
        return_host=url and shown_target(url),
    )


@router.post("/logout", response_class=Response, include_in_schema=False)
@PAGE
@POPUP
async def logout_by_post(form: FormBody) -> Response:
    """The same request as a form. Redirects to GET /logout, to which the browser sends the SameSite=Lax cookie."""
    return redirect(f"/logout?{urlencode({name: form[name] for name in PARAMETERS if name in form})}")


@router.post("/logout/confirm", response_class=Response, include_in_schema=False)
@PAGE
@POPUP
async def logout_confirmed(
    request: Request,
    forms: InteractionFormsDep,
    parser: LogoutRequestParserDep,
    sign_out: SignOutDep,
    login_sessions: LoginSessionsDep,
) -> Response:
    """Sign the user out. The page has named the target, so the redirect to it is allowed."""
    form = await forms.read(request, restart="/logout")
    logout_request = await parser.parse(form.state.query)
    if await login_sessions.find(login_sessions.cookie.read(request)) is not None:
        await forms.require_session(request, form, purpose="logout", subject=form["request"])
    return await sign_out.complete(request, logout_request, may_redirect=True)
