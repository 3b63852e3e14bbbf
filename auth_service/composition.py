"""The parts of the auth service, built once at start and closed at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
from fastapi import FastAPI

from auth_service.authentication.clients.client_keys import ClientKeys
from auth_service.authentication.clients.methods import ClientAuthentication
from auth_service.authentication.clients.private_key_jwt import PrivateKeyJWT
from auth_service.authentication.login_sessions import LoginSessions
from auth_service.authentication.users.device_cookie import DeviceCookie
from auth_service.authentication.users.password_login import PasswordLogin
from auth_service.authentication.users.passwords import Passwords
from auth_service.authentication.users.sign_in import SignIn
from auth_service.authorization.authorizer import Authorizer
from auth_service.authorization.redirect_trust import RedirectTrust
from auth_service.backchannel_logout.delivery_task import LogoutDeliveryTask
from auth_service.clients.logos import Logos
from auth_service.clients.registry import ClientRegistry
from auth_service.configuration.configuration_file import initial_access_token
from auth_service.grants.context import GrantContext
from auth_service.http.signed_state import StateSigner
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from auth_service.keys.rotation_task import KeyRotationTask
from auth_service.keys.service_secrets import FORM_KEY, ServiceSecrets
from auth_service.limits.credential_failure_limit import CredentialFailureLimit
from auth_service.outgoing import OutgoingRequests
from auth_service.registration.service import RegistrationService
from auth_service.settings.settings import Settings
from auth_service.status_list.index_pool import StatusIndexPool
from auth_service.status_list.publisher import StatusListPublisher
from auth_service.store.audit import audit_trail
from auth_service.store.schema import timestamps
from auth_service.store.tokens.token_families import FamilyLifetime
from auth_service.store.users.login_sessions import Lifetime
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.tokens.client_families import ClientFamilies
from auth_service.tokens.issuer import TokenIssuer
from auth_service.tokens.lookup import TokenLookup
from auth_service.tokens.refresh_token_codec import RefreshTokenCodec
from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tallystick.clock import Clock
from tallystick_service.store import Store


@dataclass(frozen=True)
class Provider:
    """All parts of one auth service. Endpoints take single parts (endpoints/dependencies.py)."""

    settings: Settings
    store: Store
    registry: ClientRegistry
    registrations: RegistrationService
    key_ring: KeyRing
    secrets: ServiceSecrets
    token_lookup: TokenLookup
    client_families: ClientFamilies
    grant_context: GrantContext
    client_authentication: ClientAuthentication
    sign_in: SignIn
    login_sessions: LoginSessions
    device_cookie: DeviceCookie
    state_signer: StateSigner
    redirect_trust: RedirectTrust
    authorizer: Authorizer
    outgoing: OutgoingRequests
    logout_delivery: LogoutDeliveryTask
    logos: Logos
    status_list_publisher: StatusListPublisher
    metrics: AuthMetrics
    clock: Clock

    @property
    def issuer(self) -> str:
        return self.settings.issuer


def provider_of(app: FastAPI) -> Provider:
    """The parts that `lifespan` has built for this app."""
    provider: Provider = app.state.provider
    return provider


def lifespan(
    settings: Settings, clock: NonDecreasingClock, outgoing_transport: httpx.AsyncBaseTransport | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Build the parts when the app starts, run the background tasks, and close everything when it stops.

    `app.state.metrics` must exist. `outgoing_transport` replaces the network for URLs that clients registered.
    """

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        metrics: AuthMetrics = app.state.metrics
        store = Store.open(
            settings.database_url,
            deadline=settings.database_timeout,
            options={audit_trail.RETENTION: settings.audit.retention},
            observer=metrics.store,
        )
        metrics.store.observe_queues(lambda: store.waiting)
        passwords = Passwords()
        outgoing = OutgoingRequests(settings.outgoing, outgoing_transport)
        client_keys = ClientKeys(outgoing, clock)
        logos = Logos(outgoing, store, clock)
        try:
            provider = app.state.provider = await _provider(
                settings, store, passwords, outgoing, client_keys, logos, metrics, clock
            )
            async with (
                KeyRotationTask(provider.key_ring, provider.secrets).running(),
                provider.status_list_publisher.running(),
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

    return run


async def _provider(
    settings: Settings,
    store: Store,
    passwords: Passwords,
    outgoing: OutgoingRequests,
    client_keys: ClientKeys,
    logos: Logos,
    metrics: AuthMetrics,
    clock: NonDecreasingClock,
) -> Provider:
    lifetimes = settings.lifetimes
    master_key = MasterKey.load(settings.master_key, may_create=False)
    registry = ClientRegistry(store)
    clock.observe(await store.read(timestamps.latest_timestamp))
    await registry.apis()  # cached from the start, so that the metadata does not depend on the store
    key_ring = KeyRing.from_lifetimes(store, master_key, clock, lifetimes)
    metrics.watch_signing_keys(lambda: key_ring.signing_since, clock)
    family_lifetime = FamilyLifetime(
        refresh_token=lifetimes.refresh_token,
        family=lifetimes.refresh_token_family,
        access_token=lifetimes.access_token,
    )
    secrets = ServiceSecrets(store, master_key, clock, refresh_key_kept=lifetimes.refresh_token_family)
    await secrets.load()
    status_indexes = StatusIndexPool(store, clock)
    refresh_tokens = RefreshTokenCodec(secrets)
    client_families = ClientFamilies(store, status_indexes, clock, family_lifetime)
    grant_context = GrantContext(
        issuer=settings.issuer,
        lifetimes=lifetimes,
        family_lifetime=family_lifetime,
        store=store,
        registry=registry,
        token_issuer=TokenIssuer(
            issuer=settings.issuer,
            lifetimes=lifetimes,
            store=store,
            key_ring=key_ring,
            status_indexes=status_indexes,
            clock=clock,
        ),
        refresh_tokens=refresh_tokens,
        client_families=client_families,
        status_indexes=status_indexes,
        metrics=metrics,
        clock=clock,
    )
    assertions = PrivateKeyJWT(issuer=settings.issuer, store=store, registry=registry, keys=client_keys, clock=clock)
    failures = CredentialFailureLimit(store, clock)
    status_list_publisher = StatusListPublisher(
        issuer=settings.issuer, store=store, key_ring=key_ring, clock=clock, lifetime=lifetimes.status_list
    )
    metrics.watch_status_list(status_list_publisher.facts, clock)
    login_sessions = LoginSessions(
        store,
        clock,
        Lifetime(idle=lifetimes.login_session_idle, absolute=lifetimes.login_session_absolute),
        is_https=settings.is_https,
    )
    redirect_trust = RedirectTrust(settings.registration.trusted_redirect_origins, store)
    form_keys = partial(secrets.newest_first, FORM_KEY)
    device_cookie = DeviceCookie(form_keys, clock, is_https=settings.is_https)
    return Provider(
        settings=settings,
        store=store,
        registry=registry,
        registrations=RegistrationService(
            settings.registration,
            store,
            registry,
            failures,
            clock,
            issuer=settings.issuer,
            initial_access_token=initial_access_token(settings.registration),
        ),
        key_ring=key_ring,
        secrets=secrets,
        token_lookup=TokenLookup(
            issuer=settings.issuer,
            store=store,
            key_ring=key_ring,
            refresh_tokens=refresh_tokens,
            clock=clock,
            login_session_idle=lifetimes.login_session_idle,
        ),
        client_families=client_families,
        grant_context=grant_context,
        client_authentication=ClientAuthentication(registry, assertions, failures),
        sign_in=SignIn(
            PasswordLogin(store, passwords, clock),
            login_sessions,
            device_cookie,
            max_active=passwords.threads + 2,  # enough to keep the hashing threads busy
        ),
        login_sessions=login_sessions,
        device_cookie=device_cookie,
        redirect_trust=redirect_trust,
        authorizer=Authorizer(
            issuer=settings.issuer,
            registry=registry,
            store=store,
            key_ring=key_ring,
            redirect_trust=redirect_trust,
            clock=clock,
            code_lifetime=lifetimes.code,
        ),
        state_signer=StateSigner(form_keys, clock),
        outgoing=outgoing,
        logout_delivery=LogoutDeliveryTask(
            issuer=settings.issuer,
            store=store,
            registry=registry,
            key_ring=key_ring,
            outgoing=outgoing,
            metrics=metrics,
            clock=clock,
        ),
        logos=logos,
        status_list_publisher=status_list_publisher,
        metrics=metrics,
        clock=clock,
    )
