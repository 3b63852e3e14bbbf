"""The auth service: its table of contents."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from auth_service.authentication.clients.client_keys import ClientKeys
from auth_service.authentication.clients.methods import ClientAuthentication
from auth_service.authentication.clients.private_key_jwt import ClientAssertions
from auth_service.authentication.users.device_cookie import KnownDevices
from auth_service.authentication.users.login_sessions import LoginSessions
from auth_service.authentication.users.password_login import SignIn
from auth_service.authentication.users.passwords import Passwords
from auth_service.backchannel_logout.delivery_task import LogoutDelivery
from auth_service.clients.logos import Logos
from auth_service.clients.registry import ClientRegistry
from auth_service.composition import Provider
from auth_service.configuration.configuration_file import initial_access_token
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
from auth_service.http.signed_state import StateSigner
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from auth_service.keys.rotation_task import KeyCare
from auth_service.keys.service_secrets import FORM_KEY, ServiceSecrets
from auth_service.limits.credential_failure_limit import CredentialFailures
from auth_service.middleware.cors import POPUP_PATHS, CrossOrigin
from auth_service.middleware.error_handlers import handle_http_exception, handle_oauth_error
from auth_service.outgoing import Outgoing
from auth_service.registration.service import Registrations
from auth_service.settings.settings import Settings
from auth_service.status_list.index_reserve import StatusIndexes
from auth_service.status_list.publisher import StatusListPublishing
from auth_service.status_list.status_list_token import status_list_uri
from auth_service.store.audit import audit_trail
from auth_service.store.schema import timestamps
from auth_service.store.tokens.token_families import FamilyLifetime
from auth_service.store.users.login_sessions import Lifetime
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import RefusalLog
from auth_service.tokens.client_families import OwnFamilies
from auth_service.tokens.issuer import Issuing
from auth_service.vocabulary.non_decreasing_clock import SteadyClock
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
from tallystick_service.metrics import Memory
from tallystick_service.store import Store

VERSION = "0.1.0"


def create_app(
    settings: Settings,
    clock: Clock = system_clock,
    outgoing_transport: httpx.AsyncBaseTransport | None = None,
    *,
    memory: Memory | None = None,
    metrics_port: int | None = None,
) -> FastAPI:
    """The whole auth service as an ASGI app. Its store must have been migrated, and what is declared applied to it.

    `outgoing_transport` is how the addresses that clients gave are reached, when not by the network. `memory` is where
    it counts, together with other processes of it; `metrics_port` the only port that answers /metrics; None: any,
    to callers on this machine.
    """
    steady = SteadyClock(clock)
    app = FastAPI(
        title="Tallystick auth service",
        summary="An OpenID Provider and OAuth 2.1 authorization server.",
        version=VERSION,
        lifespan=_lifespan(settings, steady, outgoing_transport),
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
    metrics = app.state.metrics = AuthMetrics(memory, version=VERSION, endpoints=endpoints_of(app.routes))
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


def _lifespan(
    settings: Settings, clock: SteadyClock, outgoing_transport: httpx.AsyncBaseTransport | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics: AuthMetrics = app.state.metrics
        store = Store.open(
            settings.database_url,
            deadline=settings.database_timeout,
            options={audit_trail.RETENTION: settings.audit.retention},
            observer=metrics.store,
        )
        metrics.store.watch(lambda: store.waiting)
        passwords = Passwords()
        outgoing = Outgoing(settings.outgoing, outgoing_transport)
        client_keys = ClientKeys(outgoing, clock)
        logos = Logos(outgoing, store, clock)
        try:
            provider = app.state.provider = await _provider(
                settings, store, passwords, outgoing, client_keys, logos, metrics, clock
            )
            async with (
                KeyCare(provider.key_ring, provider.issuing.secrets).running(),
                provider.status_list_publishing.running(),
                provider.logout_delivery.running(),
                metrics.published(),
            ):
                yield
        finally:
            await client_keys.aclose()
            await logos.aclose()
            await outgoing.aclose()
            passwords.close()
            await store.close()

    return lifespan


async def _provider(
    settings: Settings,
    store: Store,
    passwords: Passwords,
    outgoing: Outgoing,
    client_keys: ClientKeys,
    logos: Logos,
    metrics: AuthMetrics,
    clock: SteadyClock,
) -> Provider:
    lifetimes = settings.lifetimes
    master_key = MasterKey.load(settings.master_key, may_create=False)
    registry = ClientRegistry(store)
    clock.note(await store.read(timestamps.newest))
    await registry.apis()  # known from the beginning, the metadata can be told whatever becomes of the store
    key_ring = KeyRing.of(store, master_key, clock, lifetimes)
    metrics.watch_signing_keys(lambda: key_ring.signing_since, clock)
    family_lifetime = FamilyLifetime(
        refresh_token=lifetimes.refresh_token,
        family=lifetimes.refresh_token_family,
        access_token=lifetimes.access_token,
    )
    secrets = ServiceSecrets(store, master_key, clock, refresh_key_kept=lifetimes.refresh_token_family)
    await secrets.load()
    status_indexes = StatusIndexes(store, clock)
    issuing = Issuing(
        issuer=settings.issuer,
        lifetimes=lifetimes,
        family_lifetime=family_lifetime,
        store=store,
        registry=registry,
        key_ring=key_ring,
        own_families=OwnFamilies(store, status_indexes, clock, family_lifetime),
        status_indexes=status_indexes,
        status_list_uri=status_list_uri(settings.issuer),
        secrets=secrets,
        metrics=metrics,
        clock=clock,
    )
    assertions = ClientAssertions(issuer=settings.issuer, store=store, registry=registry, keys=client_keys, clock=clock)
    failures = CredentialFailures(store, clock)
    status_list_publishing = StatusListPublishing(
        issuer=settings.issuer, store=store, key_ring=key_ring, clock=clock, lifetime=lifetimes.status_list
    )
    metrics.watch_status_list(status_list_publishing.facts, clock)
    login_sessions = LoginSessions(
        store,
        clock,
        Lifetime(idle=lifetimes.login_session_idle, absolute=lifetimes.login_session_absolute),
        is_https=settings.is_https,
    )
    form_keys = partial(secrets.newest_first, FORM_KEY)
    known_devices = KnownDevices(form_keys, clock, is_https=settings.is_https)
    return Provider(
        settings=settings,
        store=store,
        registry=registry,
        registrations=Registrations(
            settings.registration,
            store,
            registry,
            failures,
            clock,
            issuer=settings.issuer,
            initial_access_token=initial_access_token(settings.registration),
        ),
        key_ring=key_ring,
        issuing=issuing,
        client_authentication=ClientAuthentication(registry, assertions, failures),
        sign_in=SignIn(store, passwords, login_sessions, known_devices, clock),
        login_sessions=login_sessions,
        state_signer=StateSigner(form_keys, settings.issuer, clock),
        outgoing=outgoing,
        logout_delivery=LogoutDelivery(
            issuer=settings.issuer,
            store=store,
            registry=registry,
            key_ring=key_ring,
            outgoing=outgoing,
            metrics=metrics,
            clock=clock,
        ),
        logos=logos,
        status_list_publishing=status_list_publishing,
        metrics=metrics,
        clock=clock,
    )
