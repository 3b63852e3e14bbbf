"""create_app(settings): the table of contents."""

import secrets
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
from examples.web_app.errors import SessionEnded, SignInFailed, Trouble
from examples.web_app.logout_token import LogoutTokens
from examples.web_app.notes_api import NotesAPI
from examples.web_app.pages import STATIC, Pages
from examples.web_app.provider import Provider
from examples.web_app.services import Services
from examples.web_app.sessions import AppSessions
from examples.web_app.settings import Settings
from tallystick.clock import Clock, system_clock
from tallystick.request_id import send_request_id
from tallystick_service.asgi import RequestId, SecurityHeaders

SIGNING_IN = 600
"""Seconds for which the browser keeps what belongs to a sign-in under way."""


def create_app(
    settings: Settings, clock: Clock = system_clock, transport: httpx2.AsyncBaseTransport | None = None
) -> FastAPI:
    """`transport` stands in for the network on the way to the issuer and the API."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(
            base_url=settings.api,
            timeout=5.0,
            trust_env=False,
            transport=transport,
            event_hooks={"request": [send_request_id]},
        ) as http:
            provider = Provider(settings, clock, transport)
            app.state.services = Services(
                settings,
                clock,
                provider,
                LogoutTokens(settings, clock, provider),
                NotesAPI(http),
                AppSessions(clock),
                Pages(settings),
            )
            yield

    app = FastAPI(title=settings.name, lifespan=lifespan, openapi_url=None, max_body_size=256 * 1024)
    for router in (sign_in.router, backchannel_logout.router, notes.router, delete_all.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(Trouble, trouble_response)
    app.add_exception_handler(HTTPException, http_error_response)
    # Authlib keeps state, nonce and code_verifier in request.session. A stranger's are kept by the stranger's own
    # browser, signed, so that nobody can fill our memory before signing in. The key is new at each start.
    app.add_middleware(
        SessionMiddleware,
        secret_key=secrets.token_urlsafe(32),
        session_cookie="__Host-signing-in" if settings.is_https else "signing-in",
        max_age=SIGNING_IN,
        https_only=settings.is_https,
    )
    app.add_middleware(SecurityHeaders, https=settings.is_https)
    app.add_middleware(RequestId)
    return app


async def trouble_response(request: Request, trouble: Exception) -> Response:
    assert isinstance(trouble, Trouble)  # noqa: S101 — narrows what Starlette types as Exception
    here: Services = request.app.state.services
    if isinstance(trouble, (SessionEnded, SignInFailed)):
        response = RedirectResponse("/", status_code=303)
        if isinstance(trouble, SessionEnded):  # a failed sign-in, which anyone can bring about, ends nothing
            here.forget(request, response)
        request.session["note"] = trouble.text
        return response
    return here.pages.render("trouble.html", status=trouble.status, title=trouble.title, text=trouble.text)


async def http_error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 — as above
    here: Services = request.app.state.services
    text = "There is nothing at this address." if error.status_code == 404 else error.detail
    return here.pages.render("trouble.html", status=error.status_code, title="That did not work", text=text)
