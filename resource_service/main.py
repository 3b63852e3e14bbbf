"""Create the notes API from its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from resource_service.cross_origin import CrossOrigin
from resource_service.endpoints.health import health_endpoints
from resource_service.endpoints.note import note_endpoints
from resource_service.endpoints.notes import notes_endpoints
from resource_service.endpoints.whoami import whoami_endpoint
from resource_service.metrics import NotesMetrics
from resource_service.openapi import document_problems
from resource_service.problems import render_problems
from resource_service.settings import Settings
from tallystick.clock import Clock, system_clock
from tallystick.fastapi import Tallystick
from tallystick.remote.issuer import FOLLOW_INTERVAL
from tallystick_service.asgi import Head, MetricsEndpoint, RequestId, SecurityHeaders
from tallystick_service.asgi.docs_page import add_docs_page
from tallystick_service.asgi.endpoints import endpoints_of
from tallystick_service.metrics import SharedCounters
from tallystick_service.store import Store

VERSION = "0.1.0"
SCOPES = {"notes:read": "Read your notes", "notes:write": "Create, change and delete your notes"}


def create_app(
    settings: Settings,
    clock: Clock = system_clock,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    follow_every: float = FOLLOW_INTERVAL,
    counters: SharedCounters | None = None,
    metrics_port: int | None = None,
) -> FastAPI:
    """Create the app. The database has been migrated.

    `transport` replaces the network to the issuer, for tests. `follow_every`: seconds between two fetches of the
    issuer's keys and status lists. `counters` are shared with the other processes. Only `metrics_port` answers
    /metrics; None: every port, for callers on this machine.
    """

    auth = Tallystick(
        settings.issuer,
        settings.audience,
        name="Notes",
        scopes=SCOPES,
        internal_url=settings.internal_url,
        allow_insecure_internal_url=settings.allow_insecure_internal_url,
        jwks_uri=settings.jwks_uri,
        jwks_file=settings.jwks_file,
        status_policy=settings.status_policy,
        status_max_age=settings.status_max_age,
        status_file=settings.status_file,
        follow_every=follow_every,
        clock=clock,
        transport=transport,
        on_verdict=lambda verdict: metrics.verdicts.inc(verdict),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = app.state.store = Store.open(
            settings.database_url, deadline=settings.database_timeout, observer=metrics.store
        )
        metrics.store.observe_queues(lambda: store.waiting)
        try:
            async with metrics.published():
                yield
        finally:
            await store.close()

    app = FastAPI(
        title="Notes",
        version=VERSION,
        summary="Private notes for the users and services of the auth service.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
        separate_input_output_schemas=False,
    )
    for router in (
        notes_endpoints(auth, clock),
        note_endpoints(auth, clock),
        whoami_endpoint(auth),
        health_endpoints(auth),
        auth.metadata,
    ):
        app.include_router(router)
    add_docs_page(app, client_id=settings.docs_client_id, scopes=list(SCOPES), connect_src=[_origin(settings.issuer)])
    metrics = app.state.metrics = NotesMetrics(counters, version=VERSION, endpoints=endpoints_of(app.routes))
    metrics.watch_issuer(auth.health)
    document_problems(app)
    render_problems(app)
    app.add_middleware(CrossOrigin, allowed_origins=settings.allowed_origins)
    app.add_middleware(Head)
    app.add_middleware(SecurityHeaders, https=settings.audience.startswith("https://"))
    app.add_middleware(RequestId, endpoint=metrics.requests.endpoint, count=metrics.requests.count)
    app.add_middleware(MetricsEndpoint, render=metrics.render, port=metrics_port)
    return app


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
