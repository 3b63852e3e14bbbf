"""The request of /logout, parsed and checked (RP-Initiated Logout 1.0 §2)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from auth_service.clients.registry import ClientRegistry
from auth_service.endpoints.dependencies import IssuerUrl, KeyRingDep, RegistryDep
from auth_service.http.form import RepeatedParameter, parse_form
from auth_service.http.redirects import add_query
from auth_service.keys.key_ring import KeyRing
from auth_service.store.clients.clients import Client
from auth_service.store.users.login_sessions import LoginSession
from auth_service.tokens import id_token
from auth_service.tokens.id_token import IDTokenHint
from tallystick.errors import InvalidRequest
from tallystick_service.asgi.request_facts import note_client


@dataclass(frozen=True)
class LogoutRequest:
    """`client` is the audience of a genuine `hint`; without a hint, the client that `client_id` names.

    `return_url` is the `post_logout_redirect_uri` with `state`, if it is registered for `client`.
    """

    hint: IDTokenHint | None
    client: Client | None
    post_logout_redirect_uri: str | None
    return_url: str | None

    @property
    def is_return_refused(self) -> bool:
        return self.post_logout_redirect_uri is not None and self.return_url is None

    def names_login(self, login_session: LoginSession) -> bool:
        """Whether the hint is of this very login. The hint of an earlier login by the same user is not enough."""
        return self.hint is not None and (self.hint.sub, self.hint.sid) == (login_session.sub, login_session.sid)


class LogoutRequestParser:
    def __init__(self, registry: ClientRegistry, key_ring: KeyRing, issuer: str) -> None:
        self._registry = registry
        self._key_ring = key_ring
        self._issuer = issuer

    async def parse(self, query: str) -> LogoutRequest:
        """Raises InvalidRequest."""
        form = parse_form(query)
        if form.repeated:
            raise RepeatedParameter(form.repeated)
        hint, client_id = None, form.get("client_id")
        if "id_token_hint" in form:
            keys = await self._key_ring.hint_keys()
            hint = id_token.read_id_token_hint(form["id_token_hint"], issuer=self._issuer, keys=keys)
            if hint is not None and client_id not in (None, hint.aud):
                raise InvalidRequest(
                    "client_id is not the client that the id_token_hint was issued to", reason="client_id_differs"
                )
            client_id = hint.aud if hint else None  # with a hint that is not genuine, client_id is not trusted either
        client = None if client_id is None else await self._registry.client(client_id)
        if client is not None:
            note_client(client.client_id)
        uri = form.get("post_logout_redirect_uri")
        return LogoutRequest(hint, client, uri, _return_url(uri, form.get("state"), client))


def _return_url(uri: str | None, state: str | None, client: Client | None) -> str | None:
    if uri is None or client is None or uri not in client.post_logout_redirect_uris:
        return None
    return uri if state is None else add_query(uri, {"state": state})


async def _parser(registry: RegistryDep, key_ring: KeyRingDep, issuer: IssuerUrl) -> LogoutRequestParser:
    return LogoutRequestParser(registry, key_ring, issuer)


LogoutRequestParserDep = Annotated[LogoutRequestParser, Depends(_parser)]
