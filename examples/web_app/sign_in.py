"""In and out: the redirect to the issuer, the way back, and the two ways to sign out."""

import logging
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.errors import SignInFailed, Unreachable
from examples.web_app.services import Here, OwnForm, SignedIn
from examples.web_app.silent_sign_in import stop_trying, take_silent_failure, try_again_later

log = logging.getLogger(__name__)
router = APIRouter()

SIGNED_OUT_HERE = "You are signed out of this app. Your login itself goes on, so other apps still know you."
SIGNED_OUT_OF_ALL = "You are signed out of all apps in this browser."


@router.get("/sign-in")
async def sign_in(request: Request, here: Here) -> Response:
    """Someone with a login at the issuer comes straight back; the others meet its login page."""
    return await here.provider.authorization_redirect(request)


@router.get("/callback")
async def callback(request: Request, here: Here) -> Response:
    """The issuer's answer: a code to redeem, or an error, which after a silent attempt means that there is no login."""
    try:
        session = await here.provider.redeem(request)
    except SignInFailed:
        if silent_failure := take_silent_failure(request):
            return silent_failure
        raise
    response = RedirectResponse(_place_to_come_back_to(request), status_code=303)
    here.forget(request, response)
    try_again_later(response, here)
    here.set_cookie(response, here.sessions.open(session))
    return response


@router.post("/sign-out")
async def sign_out_here(request: Request, here: Here, session: SignedIn, _: OwnForm) -> Response:
    response = RedirectResponse("/", status_code=303)
    here.forget(request, response)
    stop_trying(response, here)
    request.session["note"] = SIGNED_OUT_HERE
    async with session.refreshing:  # a refresh under way would bring a token that outlives this
        try:
            await here.provider.revoke(session.tokens)
        except Unreachable:
            log.warning("tokens were forgotten but not revoked; they end with the login")
    return response


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(request: Request, here: Here, session: SignedIn, _: OwnForm) -> Response:
    state = secrets.token_urlsafe(16)
    response = RedirectResponse(await here.provider.logout_url(session.tokens, state=state), status_code=303)
    here.forget(request, response)
    stop_trying(response, here)
    request.session["signing_out"] = state
    return response


def come_back_to(path: str, request: Request, *, state: str, note: str) -> None:
    """After the sign-in under way with this `state`, and no other, go on at `path` and say `note` there."""
    request.session["come_back"] = [state, path, note]


def _place_to_come_back_to(request: Request) -> str:
    state, path, note = request.session.get("come_back", ("", "/", None))
    if state != request.query_params.get("state"):
        return "/"
    del request.session["come_back"]
    request.session["note"] = note
    return str(path)


def take_note(request: Request) -> str | None:
    """What the first page has to tell this visitor, once."""
    note: str | None = request.session.pop("note", None)
    state = request.query_params.get("state")
    if state is not None and state == request.session.pop("signing_out", None):
        return SIGNED_OUT_OF_ALL
    return note
