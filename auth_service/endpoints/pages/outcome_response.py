"""HTTP responses for the outcome of an authorization request."""

from urllib.parse import urlencode

from fastapi import Request, Response

from auth_service.authentication.login_sessions import LoginSessions, fingerprint
from auth_service.authorization.authorizer import ConsentDue, LoginDue, Outcome, ToClient
from auth_service.authorization.pending import BrowserState, PendingAuthorization
from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.http.redirects import redirect
from auth_service.http.signed_state import StateSigner
from auth_service.pages import form_post_page, page
from auth_service.telemetry.refusal_log import log_refusal


async def browser_state(request: Request, login_sessions: LoginSessions) -> BrowserState:
    cookie = login_sessions.cookie.read(request)
    return BrowserState(await login_sessions.find(cookie), fingerprint(cookie))


def respond(outcome: Outcome, state_signer: StateSigner) -> Response:
    """Send the browser to the login page, to the consent page, or to the client."""
    match outcome:
        case LoginDue(pending=pending):
            return _redirect_to_page("/login", pending, state_signer)
        case ConsentDue(authorization=authorization):
            return _redirect_to_page("/consent", authorization.pending, state_signer)
        case ToClient():
            return respond_to_client(outcome)


def respond_to_client(outcome: ToClient) -> Response:
    """Send the browser to the client, or ask the user first if the address is not trusted. Logs a refusal."""
    response = _to_client(outcome) if outcome.may_redirect else _leaving_page(outcome)
    if outcome.refusal is not None:
        log_refusal(outcome.refusal, status=response.status_code)
    return response


def _redirect_to_page(path: str, pending: PendingAuthorization, state_signer: StateSigner) -> Response:
    return redirect(f"{path}?{urlencode({'request': state_signer.sign(pending.state)})}")


def _to_client(outcome: ToClient) -> Response:
    response = outcome.response
    if response.is_form_post:
        return form_post_page(response.redirect_uri, response.parameters, client=outcome.client)
    return redirect(response.url)


def _leaving_page(outcome: ToClient) -> Response:
    response = outcome.response
    return page(
        "leaving",
        status=400,
        client=outcome.client,
        target=shown_target(response.redirect_uri),
        url=None if response.is_form_post else response.url,
        action=response.redirect_uri,
        fields=response.parameters,
        error=outcome.refusal.error if outcome.refusal else None,
        is_signed_out=False,
    )
