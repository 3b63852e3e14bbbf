"""The dependencies of endpoints: one annotated type for each part of the service that an endpoint may take."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from auth_service.authentication.login_sessions import LoginSessions
from auth_service.authentication.users.device_cookie import DeviceCookie
from auth_service.authentication.users.sign_in import SignIn
from auth_service.authorization.authorizer import Authorizer
from auth_service.authorization.redirect_trust import RedirectTrust
from auth_service.backchannel_logout.delivery_task import LogoutDeliveryTask
from auth_service.clients.logos import Logos
from auth_service.clients.registry import ClientRegistry
from auth_service.composition import Provider, provider_of
from auth_service.grants.context import GrantContext
from auth_service.http.form import Form, read_form
from auth_service.http.peer_address import peer_address
from auth_service.http.signed_state import StateSigner
from auth_service.keys.key_ring import KeyRing
from auth_service.registration.service import RegistrationService
from auth_service.settings.settings import Settings
from auth_service.status_list.publisher import StatusListPublisher
from auth_service.store.clients.clients import Client
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.tokens.client_families import ClientFamilies
from auth_service.tokens.lookup import TokenLookup
from tallystick.clock import Clock
from tallystick_service.store import Store


def _part(read: Callable[[Provider], object]) -> Any:
    async def part(request: Request) -> object:  # FastAPI would run a plain function in a thread
        return read(provider_of(request.app))

    return Depends(part)


AuthorizerDep = Annotated[Authorizer, _part(lambda provider: provider.authorizer)]
ClientFamiliesDep = Annotated[ClientFamilies, _part(lambda provider: provider.client_families)]
ClockDep = Annotated[Clock, _part(lambda provider: provider.clock)]
StateSignerDep = Annotated[StateSigner, _part(lambda provider: provider.state_signer)]
DeviceCookieDep = Annotated[DeviceCookie, _part(lambda provider: provider.device_cookie)]
GrantContextDep = Annotated[GrantContext, _part(lambda provider: provider.grant_context)]
IssuerUrl = Annotated[str, _part(lambda provider: provider.issuer)]
KeyRingDep = Annotated[KeyRing, _part(lambda provider: provider.key_ring)]
LoginSessionsDep = Annotated[LoginSessions, _part(lambda provider: provider.login_sessions)]
LogosDep = Annotated[Logos, _part(lambda provider: provider.logos)]
LogoutDeliveryDep = Annotated[LogoutDeliveryTask, _part(lambda provider: provider.logout_delivery)]
MetricsDep = Annotated[AuthMetrics, _part(lambda provider: provider.metrics)]
RedirectTrustDep = Annotated[RedirectTrust, _part(lambda provider: provider.redirect_trust)]
RegistrationsDep = Annotated[RegistrationService, _part(lambda provider: provider.registrations)]
RegistryDep = Annotated[ClientRegistry, _part(lambda provider: provider.registry)]
SettingsDep = Annotated[Settings, _part(lambda provider: provider.settings)]
SignInDep = Annotated[SignIn, _part(lambda provider: provider.sign_in)]
StatusListPublisherDep = Annotated[StatusListPublisher, _part(lambda provider: provider.status_list_publisher)]
StoreDep = Annotated[Store, _part(lambda provider: provider.store)]
TokenLookupDep = Annotated[TokenLookup, _part(lambda provider: provider.token_lookup)]

FormBody = Annotated[Form, Depends(read_form)]
"""The form in the request's body. Raises InvalidRequest for a malformed one."""


async def _authenticated_client(request: Request, form: FormBody) -> Client:
    return await provider_of(request.app).client_authentication.authenticate(
        form, authorization=request.headers.getlist("authorization"), address=peer_address(request)
    )


AuthenticatedClient = Annotated[Client, Depends(_authenticated_client)]
"""The client that makes the request. Raises InvalidClient, InvalidRequest and TooManyRequests."""
