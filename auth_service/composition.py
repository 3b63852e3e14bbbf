"""One auth service: its parts, made once at start and handed to every endpoint."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from auth_service.authentication.clients.methods import ClientAuthentication
from auth_service.authentication.users.login_sessions import LoginSessions
from auth_service.authentication.users.password_login import SignIn
from auth_service.backchannel_logout.delivery_task import LogoutDelivery
from auth_service.clients.logos import Logos
from auth_service.clients.registry import ClientRegistry
from auth_service.http.signed_state import StateSigner
from auth_service.keys.key_ring import KeyRing
from auth_service.outgoing import Outgoing
from auth_service.registration.service import Registrations
from auth_service.settings.settings import Settings
from auth_service.status_list.publisher import StatusListPublishing
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.tokens.issuer import Issuing
from tallystick.clock import Clock
from tallystick_service.store import Store


@dataclass(frozen=True)
class Provider:
    settings: Settings
    store: Store
    registry: ClientRegistry
    registrations: Registrations
    key_ring: KeyRing
    issuing: Issuing
    client_authentication: ClientAuthentication
    sign_in: SignIn
    login_sessions: LoginSessions
    state_signer: StateSigner
    outgoing: Outgoing
    logout_delivery: LogoutDelivery
    logos: Logos
    status_list_publishing: StatusListPublishing
    metrics: AuthMetrics
    clock: Clock

    @property
    def issuer(self) -> str:
        return self.settings.issuer


def provider_of(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


async def _provider(request: Request) -> Provider:  # a plain function would be sent to a thread
    return provider_of(request)


Provided = Annotated[Provider, Depends(_provider)]
