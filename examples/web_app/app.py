"""create_app(settings): the application with its routes, error handlers and middleware."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from examples.web_app import backchannel_logout, delete_all, notes, sign_in
from examples.web_app.dependencies import Services
from examples.web_app.errors import AppError, SessionEnded, SignInFailed
from examples.web_app.logout_token import LogoutTokens
from examples.web_app.notes_api import NotesAPI
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.pages import STATIC, Pages
from examples.web_app.session_store import SessionStore
from examples.web_app.settings import Settings
from tallystick.clock import Clock, system_clock
from tallystick.request_id import send_request_id
from tallystick_service.asgi import RequestId, SecurityHeaders

SIGN_IN_TIMEOUT = 600
"""Seconds for which the browser keeps the state of an unfinished sign-in."""


def create_app(
    settings: Settings, clock: Clock = system_clock, transport: httpx2.AsyncBaseTransport | None = None
) -> FastAPI:
    """`transport` replaces the network to the issuer and to the API, for tests."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(
            base_url=settings.api,
            timeout=5.0,
            trust_env=False,
            transport=transport,
            event_hooks={"request": [send_request_id]},
        ) as http:
            provider = OpenIDProvider(settings, clock, transport)
            app.state.services = Services(
                settings,
                clock,
                provider,
                LogoutTokens(settings, clock, provider),
                NotesAPI(http),
                SessionStore(settings.session_file, clock),
                Pages(settings),
            )
            yield

    app = FastAPI(title=settings.name, lifespan=lifespan, openapi_url=None, max_body_size=256 * 1024)
    for router in (sign_in.router, backchannel_logout.router, notes.router, delete_all.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(AppError, handle_app_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    # Authlib keeps state, nonce and code_verifier in request.session. A signed cookie holds them, so that callers
    # without a session use no memory of this server. All worker processes derive the same key.
    app.add_middleware(
        SessionMiddleware,
        secret_key=hmac.digest(settings.client_secret.encode(), b"sign-in cookie", "sha256").hex(),
        session_cookie="__Host-signing-in" if settings.is_https else "signing-in",
        max_age=SIGN_IN_TIMEOUT,
        https_only=settings.is_https,
    )
    app.add_middleware(SecurityHeaders, https=settings.is_https)
    app.add_middleware(RequestId)
    return app


async def handle_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 — narrows what Starlette types as Exception
    services: Services = request.app.state.services
    if isinstance(error, (SessionEnded, SignInFailed)):
        response = RedirectResponse("/", status_code=303)
        if isinstance(error, SessionEnded):  # any website can cause a failed sign-in, so that ends no session
            await services.close_session(request, response)
        request.session["message"] = error.message
        return response
    return services.pages.render("error.html", status=error.status, title=error.title, text=error.message)


async def handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 — as above
    services: Services = request.app.state.services
    text = "There is nothing at this address." if error.status_code == 404 else error.detail
    return services.pages.render("error.html", status=error.status_code, title="That did not work", text=text)
