"""The grants of the token endpoint (RFC 6749 §1.3): one module each, and one line each in GRANTS."""

from collections.abc import Awaitable, Callable

from auth_service.grants.authorization_code import exchange_authorization_code
from auth_service.grants.client_credentials import exchange_client_credentials
from auth_service.grants.context import GrantContext
from auth_service.grants.refresh_token import exchange_refresh_token
from auth_service.http.form import Form
from auth_service.store.clients.clients import Client
from auth_service.tokens.issuer import TokenResponse

Grant = Callable[[Form, Client, GrantContext], Awaitable[TokenResponse]]
"""Trades the grant in the form for tokens. Raises an OAuthError."""

GRANTS: dict[str, Grant] = {
    "authorization_code": exchange_authorization_code,
    "refresh_token": exchange_refresh_token,
    "client_credentials": exchange_client_credentials,
}
