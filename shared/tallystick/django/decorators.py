"""The decorator for views that need an access token."""

import asyncio
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from tallystick.access_token_request import Requirement
from tallystick.django.api import required_scopes
from tallystick.django.authorization import authorize, authorize_async

View = Callable[..., Any]


def requires(*scopes: str, max_age: int | None = None, acr_values: Collection[str] = ()) -> Callable[[View], View]:
    """A decorator for a view, sync or async: the request must have an access token with all of `scopes`.

    `request.claims` has the verified AccessTokenClaims. Without scopes, any token of the issuer for this audience is
    accepted. `max_age` requires a login at most this many seconds ago, and `acr_values` a login with any of these, the
    preferred one first (RFC 9470). For a class-based view, decorate the result of `as_view()`.

    The view is exempt from CSRF checks, because a browser never sends an access token by itself.

    Raises ValueError and TypeError as `Requirement` does.
    """
    requirement = Requirement(scopes, max_age, acr_values)
    required_scopes.update(dict.fromkeys(requirement.scopes, ""))

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def protected(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                refused = await authorize_async(request, requirement)
                return await view(request, *args, **kwargs) if refused is None else refused

        else:

            @wraps(view)
            def protected(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                _refuse_event_loop()
                refused = authorize(request, requirement)
                return view(request, *args, **kwargs) if refused is None else refused

        protected.csrf_exempt = True  # type: ignore[attr-defined]  # as django.views.decorators.csrf does
        return protected

    return decorate


def _refuse_event_loop() -> None:
    """A sync wrapper runs on an event loop when it decorates `dispatch` of a view with async handlers."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("@requires would block the event loop here: decorate the result of as_view()")
