"""The auth service: its table of contents."""

import httpx
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from auth_service.composition import lifespan
from auth_service.endpoints.oauth import (
    authorize,
    introspect,
    jwks,
    metadata,
    register,
    revoke,
    status_list,
    token,
    userinfo,
)
from auth_service.endpoints.operation import health
from auth_service.endpoints.pages import consent, home, login, logo, logout
from auth_service.middleware.cors import POPUP_PATHS, CrossOrigin
from auth_service.middleware.error_handlers import handle_http_exception, handle_oauth_error
from auth_service.settings.settings import Settings
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import RefusalLog
from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tallystick.clock import Clock, system_clock
from tallystick.errors import OAuthError
from tallystick_service.asgi import (
    BodyLimit,
    ForwardedHeaders,
    Head,
    MetricsEndpoint,
    RequestId,
    SecurityHeaders,
    ServerErrors,
)
from tallystick_service.asgi.docs_page import add_docs_page
from tallystick_service.asgi.endpoints import endpoints_of
from tallystick_service.metrics import SharedCounters

VERSION = "0.1.0"


def create_app(
    settings: Settings,
    clock: Clock = system_clock,
    outgoing_transport: httpx.AsyncBaseTransport | None = None,
    *,
    counters: SharedCounters | None = None,
    metrics_port: int | None = None,
) -> FastAPI:
    """The whole auth service as an ASGI app. Its store must have been migrated, and what is declared applied to it.

    `outgoing_transport` reaches the addresses that clients gave, in place of the network. `counters` holds the metrics
    of all worker processes. `metrics_port` is the only port that answers /metrics; None: every port, for callers on
    this machine.
    """
    steady = NonDecreasingClock(clock)
    app = FastAPI(
        title="Tallystick auth service",
        summary="An OpenID Provider and OAuth 2.1 authorization server.",
        version=VERSION,
        lifespan=lifespan(settings, steady, outgoing_transport),
        redirect_slashes=False,  # they are 307s, which send a form along, to whatever Host the caller named
        docs_url=None,
        redoc_url=None,
    )
    for endpoint in (  # tried in this order, so what is called most comes first
        token,
        introspect,
        userinfo,
        revoke,
        jwks,
        status_list,
        metadata,
        authorize,
        login,
        consent,
        logout,
        register,
        logo,
        home,
        health,
    ):
        app.include_router(endpoint.router)
    add_docs_page(app)
    metrics = app.state.metrics = AuthMetrics(counters, version=VERSION, endpoints=endpoints_of(app.routes))
    app.state.refusal_log = RefusalLog(metrics)
    app.add_exception_handler(OAuthError, handle_oauth_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    # The last one added is the first to see a request.
    app.add_middleware(CrossOrigin)
    app.add_middleware(BodyLimit)
    app.add_middleware(ServerErrors)
    app.add_middleware(Head)
    app.add_middleware(SecurityHeaders, https=settings.is_https, popup_paths=POPUP_PATHS)
    app.add_middleware(RequestId, endpoint=metrics.requests.endpoint, count=metrics.requests.count)
    app.add_middleware(ForwardedHeaders, trusted_proxies=settings.trusted_proxies)
    app.add_middleware(MetricsEndpoint, render=metrics.render, port=metrics_port)
    return app
