"""The auth service as an ASGI app: its endpoints and middleware."""

import httpx
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from auth_service.composition import lifespan, provider_of
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
from auth_service.http.route_traits import POPUP
from auth_service.middleware.cors import CrossOrigin, CrossOriginRules
from auth_service.middleware.error_handlers import ErrorHandlers
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

_ENDPOINTS = (  # matched in this order, so the most frequent ones come first
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
)


def create_app(
    settings: Settings,
    clock: Clock = system_clock,
    outgoing_transport: httpx.AsyncBaseTransport | None = None,
    *,
    counters: SharedCounters | None = None,
    metrics_port: int | None = None,
) -> FastAPI:
    """Make the app. Before it starts, its store must be migrated, and the configuration applied to the store.

    `outgoing_transport` replaces the network for URLs that clients registered. `counters` holds the metrics
    of all worker processes. `metrics_port` is the only port that answers /metrics; None: every port, for callers on
    this machine.
    """
    steady = NonDecreasingClock(clock)
    app = FastAPI(
        title="Tallystick auth service",
        summary="An OpenID Provider and OAuth 2.1 authorization server.",
        version=VERSION,
        lifespan=lifespan(settings, steady, outgoing_transport),
        routes=_routes(),
        redirect_slashes=False,  # a 307 would send a form to the Host that the caller named
        docs_url=None,
        redoc_url=None,
    )
    add_docs_page(app)
    metrics = app.state.metrics = AuthMetrics(counters, version=VERSION, endpoints=endpoints_of(app.routes))
    refusal_log = app.state.refusal_log = RefusalLog(metrics)
    error_handlers = ErrorHandlers(metrics, refusal_log)
    app.add_exception_handler(OAuthError, error_handlers.handle_oauth_error)
    app.add_exception_handler(HTTPException, error_handlers.handle_http_exception)

    async def is_client_origin(origin: str) -> bool:
        return await provider_of(app).registry.is_public_origin(origin)

    popup_paths = {str(route.path) for route in POPUP.routes(app.routes)}
    # The middleware that is added last sees a request first.
    app.add_middleware(
        CrossOrigin,
        rules=CrossOriginRules(app.routes, offers_registration=settings.registration.mode != "off"),
        is_client_origin=is_client_origin,
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(ServerErrors)
    app.add_middleware(Head)
    app.add_middleware(SecurityHeaders, https=settings.is_https, popup_paths=popup_paths)
    app.add_middleware(RequestId, endpoint=metrics.requests.endpoint, count=metrics.requests.count)
    app.add_middleware(ForwardedHeaders, trusted_proxies=settings.trusted_proxies)
    app.add_middleware(MetricsEndpoint, render=metrics.render, port=metrics_port)
    return app


def _routes() -> list[BaseRoute]:
    """The routes of all endpoints. `include_router` would analyse each a second time, at every start."""
    return [route for endpoint in _ENDPOINTS for route in endpoint.router.routes]
