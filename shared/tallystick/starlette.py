"""Protect a Starlette app, or any ASGI app, in three lines.

auth = Tallystick(issuer="https://id.example.com", audience="https://api.example.com")

@auth.requires("notes:read")
async def notes(request): ...  # request.state.claims has the verified claims

app = Starlette(routes=[Route("/notes", notes), *auth.routes], lifespan=auth.lifespan)

AccessTokenMiddleware protects all of an app, which may be one of another framework.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, TypeVar, Unpack

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick.access_token_request import PROBLEM_MEDIA_TYPE, AccessTokenRequest, Refusal, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.protected_api import METADATA_HEADERS, ApiOptions, ProtectedApi
from tallystick.remote.health import IssuerHealth

__all__ = ["AccessTokenMiddleware", "Tallystick"]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

POLICY_VIOLATION = 1008
"""RFC 6455 §7.4.1: the code of a WebSocket that is closed. Before it was accepted, servers answer 403."""


class Tallystick:
    """One API: the issuer of its tokens, and its audience."""

    def __init__(self, issuer: str, audience: str, **options: Unpack[ApiOptions]) -> None:
        """The parameters are those of `ProtectedApi`, and `options` those of ApiOptions.

        Raises ValueError for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self.api = ProtectedApi(issuer, audience, **options)

    @property
    def routes(self) -> list[Route]:
        """The route of the metadata (RFC 9728), from the root of the host. Empty for an audience that is no URL."""
        if self.api.metadata_path is None:
            return []
        return [Route(self.api.metadata_path, self._metadata)]

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Fetch keys and status lists on the event loop of the app. Without it, a daemon thread does."""
        async with self.api.async_verifier:
            yield

    def requires(
        self, *scopes: str, max_age: int | None = None, acr_values: Collection[str] = ()
    ) -> Callable[[Endpoint], Endpoint]:
        """A decorator for an endpoint, a function or a method, with a parameter `request`.

        The request's access token must have all of `scopes`. Without scopes, any token of the issuer for this audience
        is accepted. `max_age` requires a login at most this many seconds ago, and `acr_values` a login with any of
        these, the preferred one first (RFC 9470). A refused request gets problem details (RFC 9457) with a challenge
        (RFC 6750).

        Raises ValueError for an invalid scope or acr, and for a `max_age` below 1; TypeError for an endpoint without
        `request`.
        """
        resource = self.api.resource(Requirement(scopes, max_age, acr_values))

        def decorate(endpoint: Endpoint) -> Endpoint:
            parameters = list(inspect.signature(endpoint).parameters)
            if "request" not in parameters:
                raise TypeError(f"{endpoint.__qualname__} has no parameter `request`")
            position = parameters.index("request")

            def request_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
                request: Request = kwargs["request"] if "request" in kwargs else args[position]
                return request

            if inspect.iscoroutinefunction(endpoint):

                @wraps(endpoint)
                async def protected(*args: Any, **kwargs: Any) -> Any:
                    request = request_of(args, kwargs)
                    answer = await resource.check_async(_access_token_request(request))
                    if isinstance(answer, Refusal):
                        return _response(answer)
                    request.state.claims = answer
                    return await endpoint(*args, **kwargs)

                return protected  # type: ignore[return-value]

            @wraps(endpoint)
            def protected_in_a_thread(*args: Any, **kwargs: Any) -> Any:
                request = request_of(args, kwargs)
                answer = resource.check(_access_token_request(request))
                if isinstance(answer, Refusal):
                    return _response(answer)
                request.state.claims = answer
                return endpoint(*args, **kwargs)

            return protected_in_a_thread  # type: ignore[return-value]

        return decorate

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires."""
        return self.api.is_ready

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment."""
        return self.api.health()

    async def aclose(self) -> None:
        """Stop fetching keys and status lists. `lifespan` calls it."""
        await self.api.aclose()

    async def _metadata(self, _request: Request) -> JSONResponse:
        return _metadata_response(self.api)


class AccessTokenMiddleware:
    """Requires an access token for every request and WebSocket of an ASGI app. The API's metadata, which this
    middleware serves itself, is public.

    `scope["state"]["claims"]`, which is `request.state.claims` in Starlette, has the verified claims.
    """

    def __init__(
        self,
        app: ASGIApp,
        auth: Tallystick | ProtectedApi,
        *,
        scopes: Collection[str] = (),
        max_age: int | None = None,
        acr_values: Collection[str] = (),
        only_path: str | None = None,
    ) -> None:
        """`scopes`, `max_age` and `acr_values` are as in `Tallystick.requires`. Raises ValueError as it does.

        `only_path`: one path to protect, with and without a slash at its end, instead of all.
        """
        self._app = app
        self._api = auth.api if isinstance(auth, Tallystick) else auth
        self._resource = self._api.resource(Requirement(tuple(scopes), max_age, acr_values))
        self._only_path = None if only_path is None else only_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] == self._api.metadata_path and scope["method"] in ("GET", "HEAD"):
            await _metadata_response(self._api)(scope, receive, send)
            return
        if self._only_path is not None and scope["path"].rstrip("/") != self._only_path:
            await self._app(scope, receive, send)
            return
        answer = await self._resource.check_async(_access_token_request(HTTPConnection(scope)))
        if isinstance(answer, AccessTokenClaims):
            scope.setdefault("state", {})["claims"] = answer
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _response(answer)(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await _refuse_websocket(answer, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})


def _access_token_request(connection: HTTPConnection) -> AccessTokenRequest:
    scope = connection.scope
    return AccessTokenRequest(
        scope.get("method", "GET"),  # a WebSocket begins with a GET
        lambda: str(URL(scope=scope)),
        connection.headers.getlist("authorization"),
    )


def _response(refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.problem, refusal.status, refusal.headers, media_type=PROBLEM_MEDIA_TYPE)


def _metadata_response(api: ProtectedApi) -> JSONResponse:
    return JSONResponse(api.metadata_document(), headers=METADATA_HEADERS)


async def _refuse_websocket(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake with an HTTP response (ASGI's extension "websocket.http.response")."""

    async def send_denial(message: Any) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await _response(refusal)({**scope, "type": "http", "method": "GET"}, receive, send_denial)
