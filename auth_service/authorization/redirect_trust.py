"""Whether the browser may be redirected to a client's address without asking the user (RFC 9700 §4.11.2)."""

from collections.abc import Collection

from auth_service.client_metadata.redirect_uris import web_origin
from auth_service.store.clients.clients import Client
from auth_service.store.users import consents
from auth_service.store.users.login_sessions import LoginSession
from tallystick_service.store import Store


class RedirectTrust:
    """`trusted_origins` are the origins that the operator trusts for self-registered clients."""

    def __init__(self, trusted_origins: Collection[str], store: Store) -> None:
        self._trusted_origins = trusted_origins
        self._store = store

    def is_vouched_for(self, client: Client, uri: str) -> bool:
        """Whether the operator vouches for the client, or for the origin of `uri`."""
        return client.is_vouched_for or web_origin(uri) in self._trusted_origins

    async def is_trusted(self, client: Client, uri: str, login_session: LoginSession | None) -> bool:
        """Whether the operator vouches for the address, or the signed-in user has allowed the client something."""
        if self.is_vouched_for(client, uri):
            return True
        if login_session is None:
            return False
        return bool(await self._store.read(consents.find_consented_scopes, login_session.sub, client.client_id))
