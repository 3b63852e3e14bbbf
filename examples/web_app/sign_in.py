"""Sign-in with its redirect to the issuer and its callback, and the two ways to sign out."""

import logging
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.dependencies import AppServices, CheckedForm, CurrentSession
from examples.web_app.errors import ServiceUnavailable, SignInFailed
from examples.web_app.silent_sign_in import allow_silent_sign_in, finish_silent_sign_in, prevent_silent_sign_in

log = logging.getLogger(__name__)
router = APIRouter()

SIGNED_OUT_HERE = (
    "You are signed out of this app. Your login itself continues, so you are still signed in to other apps."
)
SIGNED_OUT_OF_ALL = "You are signed out of all apps in this browser."


@router.get("/sign-in")
async def sign_in(request: Request, services: AppServices) -> Response:
    """Redirect to the issuer. A browser that is signed in there returns without a page."""
    return await services.provider.authorization_redirect(request)


@router.get("/callback")
async def callback(request: Request, services: AppServices) -> Response:
    """Redeem the code of the authorization response, and open an app session.

    An error after a silent sign-in means that the browser is not signed in at the issuer.
    """
    try:
        session = await services.provider.redeem(request)
    except SignInFailed:
        if redirect := finish_silent_sign_in(request):
            return redirect
        raise
    response = RedirectResponse(_path_after_sign_in(request), status_code=303)
    await services.close_session(request, response)
    allow_silent_sign_in(response, services)
    await services.open_session(session, response)
    return response


@router.post("/sign-out")
async def sign_out_here(request: Request, services: AppServices, session: CurrentSession, _: CheckedForm) -> Response:
    response = RedirectResponse("/", status_code=303)
    await services.close_session(request, response)
    prevent_silent_sign_in(response, services)
    request.session["message"] = SIGNED_OUT_HERE
    try:  # that revokes the whole token family, with the result of a concurrent refresh
        await services.provider.revoke(session.tokens)
    except ServiceUnavailable:
        log.warning("tokens were removed but not revoked; they end with the login")
    return response


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(
    request: Request, services: AppServices, session: CurrentSession, _: CheckedForm
) -> Response:
    state = secrets.token_urlsafe(16)
    logout_url = await services.provider.logout_url(session.tokens, state=state)
    response = RedirectResponse(logout_url, status_code=303)
    await services.close_session(request, response)
    prevent_silent_sign_in(response, services)
    request.session["signing_out"] = state
    return response


def continue_after_sign_in(path: str, request: Request, *, state: str, message: str) -> None:
    """Make the callback of the sign-in with this `state` redirect to `path`, where `message` is shown."""
    request.session["after_sign_in"] = [state, path, message]


def _path_after_sign_in(request: Request) -> str:
    state, path, message = request.session.get("after_sign_in", ("", "/", None))
    if state != request.query_params.get("state"):
        return "/"
    del request.session["after_sign_in"]
    request.session["message"] = message
    return str(path)


def pop_message(request: Request) -> str | None:
    """Return the message for the next page, and remove it."""
    message: str | None = request.session.pop("message", None)
    state = request.query_params.get("state")
    if state is not None and state == request.session.pop("signing_out", None):
        return SIGNED_OUT_OF_ALL
    return message
