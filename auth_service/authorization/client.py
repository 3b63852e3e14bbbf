"""The client of an authorization request, and whether the redirect_uri is registered for it.

As long as both are not known, an error must be shown on a page and not sent by a redirect (RFC 9700 §4.11).
"""

from auth_service.authorization.request import AuthorizationRequest
from auth_service.client_metadata.redirect_uris import is_registered
from auth_service.clients.registry import ClientRegistry
from auth_service.http.form import RepeatedParameter
from auth_service.store.clients.clients import Client
from tallystick.errors import InvalidRequest, OAuthError
from tallystick.refusal_reasons import Reason
from tallystick_service.asgi.request_facts import note_client, note_refused_address


class UnknownClient(OAuthError):
    """Not InvalidClient, which is a 401 with a challenge for clients that authenticate."""

    error = "invalid_client"
    reason: Reason = "client_unknown"


async def find_client(request: AuthorizationRequest, registry: ClientRegistry) -> Client:
    """The client that the request names, with a redirect_uri that is registered for it.

    Raises UnknownClient, RepeatedParameter or InvalidRequest.
    """
    for name in ("client_id", "redirect_uri"):
        if name in request.form.repeated:
            raise RepeatedParameter([name])
    client = await registry.client(request.client_id or "")
    if client is None:
        raise UnknownClient
    note_client(client.client_id)
    if request.redirect_uri is None:
        raise InvalidRequest("redirect_uri is missing", reason="redirect_uri_missing")
    any_loopback_port = client.is_public or client.application_type == "native"
    if not is_registered(request.redirect_uri, client.redirect_uris, any_loopback_port=any_loopback_port):
        note_refused_address(request.redirect_uri)
        raise InvalidRequest("redirect_uri is not registered for this client", reason="redirect_uri_unregistered")
    return client
