"""The endpoint that the issuer calls when a login has ended (OpenID Connect Back-Channel Logout 1.0 §2.5)."""

import logging

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.web_app.dependencies import AppServices
from examples.web_app.errors import ServiceUnavailable
from examples.web_app.logout_token import InvalidLogoutToken
from examples.web_app.openid_provider import KEYS_COOLDOWN

log = logging.getLogger(__name__)
router = APIRouter()

NO_STORE = {"Cache-Control": "no-store"}


@router.post("/backchannel-logout")
async def backchannel_logout(request: Request, services: AppServices) -> Response:
    """End every app session of the login that the token names, or of the user when it names no login.

    The endpoint is public and uses no cookie: the signature of the token authenticates the issuer.
    """
    try:
        token = await services.logout_tokens.verify(await _logout_token(request))
        count = await services.sessions.end_login(
            sid=token.sid, sub=token.sub, jti=token.jti, forget_at=token.forget_at
        )
        if count is None:
            raise InvalidLogoutToken("it was accepted before")
    except (InvalidLogoutToken, HTTPException) as error:
        log.info("a logout token was refused: %s", error)
        return JSONResponse({"error": "invalid_request"}, 400, NO_STORE)
    except ServiceUnavailable:  # the token may be valid, so the issuer may send it again
        headers = {**NO_STORE, "Retry-After": str(KEYS_COOLDOWN)}
        return JSONResponse({"error": "temporarily_unavailable"}, 503, headers)
    log.info("a login has ended, and with it %d app sessions", count)
    return Response(headers=NO_STORE)


async def _logout_token(request: Request) -> str:
    """Raises InvalidLogoutToken or HTTPException unless the request is a form with exactly one token."""
    form = await request.form(max_files=0, max_fields=10)
    match form.getlist("logout_token"):
        case [str(text)]:
            return text
    raise InvalidLogoutToken("the form must contain one logout_token")
