"""What can be traded at /token (RFC 6749 §1.3): one file a grant, and one line in this table."""

from collections.abc import Awaitable, Callable

from auth_service.grants.authorization_code import exchange as authorization_code
from auth_service.grants.client_credentials import exchange as client_credentials
from auth_service.grants.refresh_token import exchange as refresh_token
from auth_service.http.form import Form
from auth_service.store.clients.clients import Client
from auth_service.tokens.issuer import Issuing, TokenResponse

Grant = Callable[[Form, Client, Issuing], Awaitable[TokenResponse]]

GRANTS: dict[str, Grant] = {
    "authorization_code": authorization_code,
    "refresh_token": refresh_token,
    "client_credentials": client_credentials,
}
