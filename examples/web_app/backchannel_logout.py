"""Where the issuer says that a login has ended, without a browser (OpenID Connect Back-Channel Logout 1.0 §2.5)."""

import logging

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.web_app.errors import Unreachable
from examples.web_app.logout_token import InvalidLogoutToken
from examples.web_app.provider import KEYS_WAIT
from examples.web_app.services import Here

log = logging.getLogger(__name__)
router = APIRouter()

NO_STORE = {"Cache-Control": "no-store"}


@router.post("/backchannel-logout")
async def backchannel_logout(request: Request, here: Here) -> Response:
    """End every app session of the login that the token names, or of the user when it names no login.

    Anybody may call this, and no cookie counts: all trust is in the token's signature.
    """
    try:
        logout_token = await here.logout_tokens.accept(await _logout_token(request))
    except (InvalidLogoutToken, HTTPException) as refused:
        log.info("a logout token was refused: %s", refused)
        return JSONResponse({"error": "invalid_request"}, 400, NO_STORE)
    except Unreachable:  # not the token's fault, so the issuer may send it again
        return JSONResponse({"error": "temporarily_unavailable"}, 503, {**NO_STORE, "Retry-After": str(KEYS_WAIT)})
    ended = here.sessions.end(sid=logout_token.sid, sub=logout_token.sub)
    log.info("a login has ended, and with it %d app sessions", ended)
    return Response(headers=NO_STORE)


async def _logout_token(request: Request) -> str:
    """Raises InvalidLogoutToken or HTTPException for what is not a form with exactly one."""
    form = await request.form(max_files=0, max_fields=10)
    match form.getlist("logout_token"):
        case [str(text)]:
            return text
    raise InvalidLogoutToken("there is not exactly one")
