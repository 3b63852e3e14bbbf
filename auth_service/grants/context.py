"""The parts of the service that grants work with."""

from dataclasses import dataclass

from auth_service.clients.registry import ClientRegistry
from auth_service.settings.settings import Lifetimes
from auth_service.status_list.index_pool import StatusIndexPool
from auth_service.store.tokens.token_families import FamilyLifetime
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.tokens.client_families import ClientFamilies
from auth_service.tokens.issuer import TokenIssuer
from auth_service.tokens.refresh_token_codec import RefreshTokenCodec
from tallystick.clock import Clock
from tallystick_service.store import Store


@dataclass(frozen=True)
class GrantContext:
    issuer: str
    lifetimes: Lifetimes
    family_lifetime: FamilyLifetime
    store: Store
    registry: ClientRegistry
    token_issuer: TokenIssuer
    refresh_tokens: RefreshTokenCodec
    client_families: ClientFamilies
    status_indexes: StatusIndexPool
    metrics: AuthMetrics
    clock: Clock
