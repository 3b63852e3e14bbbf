"""Verify the access token of every request that has one, before any view runs."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from tallystick.django.authorization import authorize, authorize_async
from tallystick.django.configuration import project_api


class AccessTokenMiddleware:
    """Sets `request.claims`: AccessTokenClaims, or None for a request without an access token.

    A request with an invalid token is refused (RFC 6750 §3.1). A view that needs a token has the decorator `requires`.
    With the setting USER_FROM_CLAIMS, `request.user` is the user of the token: list this middleware after
    AuthenticationMiddleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        project_api()  # raises ImproperlyConfigured when the server starts
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self._is_async:
            return self._call_async(request)
        response: HttpResponse = authorize(request, None) or self._get_response(request)
        return response

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        refused = await authorize_async(request, None)
        response: HttpResponse = refused or await self._get_response(request)
        return response
