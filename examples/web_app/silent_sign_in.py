"""Sign-in without a page, for a person who has signed in to another app already (OIDC Core §3.1.2.1, prompt=none)."""

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.errors import Unreachable
from examples.web_app.services import Services

RETRY_AFTER = 30
"""Seconds for which a browser that has no login is not sent to the issuer again."""

_NO_LOGIN, _SIGNED_OUT = "no-login", "signed-out"


async def try_silently(request: Request, here: Services) -> Response | None:
    """A redirect that asks the issuer for a login without showing a page, or None when it is not to be asked now.

    A browser is asked about once in RETRY_AFTER seconds, so that the way back cannot become a loop. After a sign-out it
    is not asked about until the person presses "Sign in". Programs, which do not accept HTML, are never redirected.
    """
    if _cookie(here) in request.cookies or "text/html" not in request.headers.get("accept", ""):
        return None
    state = secrets.token_urlsafe(16)
    try:
        response = await here.provider.authorization_redirect(request, state=state, prompt="none")
    except Unreachable:
        return None
    request.session["silent"] = state
    _set(response, here, _NO_LOGIN, max_age=RETRY_AFTER)
    return response


def take_silent_failure(request: Request) -> Response | None:
    """The way back to the first page, when this is the issuer's answer to `try_silently`: there is no login."""
    state = request.query_params.get("state")
    if state is None or request.session.get("silent") != state:
        return None
    del request.session["silent"]
    return RedirectResponse("/", status_code=303)


def stop_trying(response: Response, here: Services) -> None:
    """After a sign-out: until the person signs in again, or closes the browser."""
    _set(response, here, _SIGNED_OUT, max_age=None)


def try_again_later(response: Response, here: Services) -> None:
    """After a sign-in: the next time that this browser has no session here, the issuer may be asked."""
    response.delete_cookie(_cookie(here), httponly=True, samesite="lax", secure=here.settings.is_https)


def _cookie(here: Services) -> str:
    return "__Host-silent-sign-in" if here.settings.is_https else "silent-sign-in"


def _set(response: Response, here: Services, value: str, *, max_age: int | None) -> None:
    response.set_cookie(
        _cookie(here), value, max_age=max_age, httponly=True, samesite="lax", secure=here.settings.is_https
    )
