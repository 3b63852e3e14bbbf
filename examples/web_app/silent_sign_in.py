"""Sign-in without a page, for users who have signed in to another app already (OIDC Core §3.1.2.1, prompt=none)."""

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.dependencies import Services
from examples.web_app.errors import ServiceUnavailable

RETRY_AFTER = 30
"""Seconds until a browser that is not signed in at the issuer is sent there again."""

_NOT_SIGNED_IN, _SIGNED_OUT = "no-login", "signed-out"
"""Values of a cookie that prevents a silent sign-in while it exists."""


async def start_silent_sign_in(request: Request, services: Services) -> Response | None:
    """Redirect to the issuer, which answers without a page. None when this browser is not redirected now.

    A browser is redirected once in RETRY_AFTER seconds, so that the redirects cannot become a loop, and after a
    sign-out not before the user presses "Sign in". Programs, which do not accept HTML, are never redirected.
    """
    if _cookie(services) in request.cookies or "text/html" not in request.headers.get("accept", ""):
        return None
    state = secrets.token_urlsafe(16)
    try:
        response = await services.provider.authorization_redirect(request, state=state, prompt="none")
    except ServiceUnavailable:
        return None
    request.session["silent"] = state
    _set_cookie(response, services, _NOT_SIGNED_IN, max_age=RETRY_AFTER)
    return response


def finish_silent_sign_in(request: Request) -> Response | None:
    """Redirect to the first page when this is the error response to a silent sign-in; otherwise return None."""
    state = request.query_params.get("state")
    if state is None or request.session.get("silent") != state:
        return None
    del request.session["silent"]
    return RedirectResponse("/", status_code=303)


def prevent_silent_sign_in(response: Response, services: Services) -> None:
    """After a sign-out: until the user signs in again or closes the browser."""
    _set_cookie(response, services, _SIGNED_OUT, max_age=None)


def allow_silent_sign_in(response: Response, services: Services) -> None:
    """After a sign-in: when the app session has ended, the browser may be redirected to the issuer."""
    response.delete_cookie(_cookie(services), httponly=True, samesite="lax", secure=services.settings.is_https)


def _cookie(services: Services) -> str:
    return "__Host-silent-sign-in" if services.settings.is_https else "silent-sign-in"


def _set_cookie(response: Response, services: Services, value: str, *, max_age: int | None) -> None:
    response.set_cookie(
        _cookie(services), value, max_age=max_age, httponly=True, samesite="lax", secure=services.settings.is_https
    )
