"""The same API in each framework: see ENDPOINTS."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import tallystick.fastapi
import tallystick.flask
import tallystick.starlette
from tallystick.claims import AccessTokenClaims
from tallystick.starlette import AccessTokenMiddleware
from tests.support.adapters.exchange import ENDPOINTS, Answer, Call, Headers, asgi, shown, wsgi
from tests.support.django_project import select

Options = dict[str, Any]
"""The arguments of an adapter: issuer, audience, clock, transport."""


def fastapi_app(options: Options) -> Call:
    auth = tallystick.fastapi.Tallystick(**options)
    app = FastAPI()
    app.include_router(auth.metadata)
    for path, requirement in ENDPOINTS.items():
        required = auth.requires(*requirement.get("scopes", ()), **_without_scopes(requirement))

        async def endpoint(claims: Annotated[AccessTokenClaims, required]) -> dict[str, Any]:
            return shown(claims)

        app.get(path)(endpoint)
    return asgi(app)


def starlette_app(options: Options) -> Call:
    auth = tallystick.starlette.Tallystick(**options)
    routes = []
    for path, requirement in ENDPOINTS.items():

        @auth.requires(*requirement.get("scopes", ()), **_without_scopes(requirement))
        async def endpoint(request: Request) -> JSONResponse:
            return JSONResponse(shown(request.state.claims))

        routes.append(Route(path, endpoint))
    return asgi(Starlette(routes=[*routes, *auth.routes]))


def starlette_threads(options: Options) -> Call:
    """Synchronous endpoints, which Starlette runs in threads."""
    auth = tallystick.starlette.Tallystick(**options)
    routes = []
    for path, requirement in ENDPOINTS.items():

        @auth.requires(*requirement.get("scopes", ()), **_without_scopes(requirement))
        def endpoint(request: Request) -> JSONResponse:
            return JSONResponse(shown(request.state.claims))

        routes.append(Route(path, endpoint))
    return asgi(Starlette(routes=[*routes, *auth.routes]))


def asgi_middleware(options: Options) -> Call:
    auth = tallystick.starlette.Tallystick(**options)

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(shown(request.state.claims))

    routes = [
        Route(path, endpoint, middleware=[Middleware(AccessTokenMiddleware, auth=auth, **requirement)])
        for path, requirement in ENDPOINTS.items()
    ]
    return asgi(Starlette(routes=[*routes, *auth.routes]))


def flask_app(options: Options) -> Call:
    return wsgi(_flask(options, is_async=False))


def flask_async_views(options: Options) -> Call:
    return wsgi(_flask(options, is_async=True))


def _flask(options: Options, *, is_async: bool) -> Flask:
    auth = tallystick.flask.Tallystick(**options)
    app = Flask(__name__)
    auth.init_app(app)

    def view() -> dict[str, Any]:
        return shown(auth.claims)

    async def async_view() -> dict[str, Any]:
        return shown(auth.claims)

    for path, requirement in ENDPOINTS.items():
        protect = auth.requires(*requirement.get("scopes", ()), **_without_scopes(requirement))
        protected = protect(async_view) if is_async else protect(view)  # type: ignore[arg-type]
        app.add_url_rule(path, path, protected)
    return app


def django_app(options: Options) -> Call:
    return _django(options, wsgi(WSGIHandler()), "/plain")


def django_async_views(options: Options) -> Call:
    return _django(options, asgi(ASGIHandler()), "/async")


def django_rest_framework(options: Options) -> Call:
    return _django(options, wsgi(WSGIHandler()), "/drf")


def _django(options: Options, call: Call, prefix: str) -> Call:
    """A process has one Django project. It gets these options for the call."""

    async def call_with_options(path: str, headers: Headers) -> Answer:
        await asyncio.to_thread(select, **options)
        return await call(path if path.startswith("/.well-known/") else f"{prefix}{path}", headers)

    return call_with_options


def _without_scopes(requirement: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in requirement.items() if name != "scopes"}


ADAPTERS: dict[str, Callable[[Options], Call]] = {
    "django": django_app,
    "django_async_views": django_async_views,
    "django_rest_framework": django_rest_framework,
    "fastapi": fastapi_app,
    "starlette": starlette_app,
    "starlette_threads": starlette_threads,
    "asgi_middleware": asgi_middleware,
    "flask": flask_app,
    "flask_async_views": flask_async_views,
}
