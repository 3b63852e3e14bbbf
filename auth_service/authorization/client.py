"""Whether the redirect_uri may be believed at all. Until then a refusal is a page, not a redirect (RFC 9700 §4.11)."""

from auth_service.authorization.request import AuthorizationRequest
from auth_service.client_metadata.redirect_uris import is_registered
from auth_service.clients.registry import ClientRegistry
from auth_service.pages.errors import MissingRedirectURI, ParameterRepeated, UnknownClient, UnregisteredRedirectURI
from auth_service.store.clients.clients import Client
from tallystick_service.asgi.request_facts import note_client, note_refused_address


async def trusted_client(request: AuthorizationRequest, registry: ClientRegistry) -> Client:
    """The client whose registered redirect_uri this is. Raises a PageRefusal otherwise."""
    for name in ("client_id", "redirect_uri"):
        if name in request.form.repeated:
            raise ParameterRepeated(f"{name} is repeated")
    client = await registry.client(request.client_id or "")
    if client is None:
        raise UnknownClient
    note_client(client.client_id)
    if request.redirect_uri is None:
        raise MissingRedirectURI
    any_loopback_port = client.is_public or client.application_type == "native"
    if not is_registered(request.redirect_uri, client.redirect_uris, any_loopback_port=any_loopback_port):
        note_refused_address(request.redirect_uri)
        raise UnregisteredRedirectURI
    return client
