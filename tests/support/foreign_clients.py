"""The configuration of the clients that the tests run against the auth service behind the TLS front."""

from collections.abc import Iterable, Sequence
from typing import Any

from joserfc.jwk import ECKey

from tests.support.declared import secret_of, toml_value

APP = "https://app.example.net/callback"
"""The redirect_uri of clients without a page. No server listens there: the tests do not follow the redirect."""
APP_LEFT = "https://app.example.net/"

Client = dict[str, Any]


def foreign_clients(*, spa: str, notes_spa: str, rps: Sequence[str], rp_port: int, key: ECKey) -> list[Client]:
    """`spa`, `notes_spa`: the origins of pages in a browser. `rps`: those of a server-side app.

    `key`: for private_key_jwt.
    """
    return [
        _confidential("basic"),
        _confidential("post", token_endpoint_auth_method="client_secret_post"),
        _confidential("claims_in_id_token", id_token_claims=["name", "email"]),
        _client("public", token_endpoint_auth_method="none"),
        _client(
            "private_key_jwt",
            token_endpoint_auth_method="private_key_jwt",
            jwks={"keys": [key.as_dict(private=False) | {"alg": "ES256"}]},
        ),
        {
            "client_id": "bot",
            "client_secret": secret_of("bot"),
            "grant_types": ["client_credentials"],
            "scope": "notes:read",
        },
        _client(
            "spa",
            token_endpoint_auth_method="none",
            redirect_uris=[f"{spa}/"],
            post_logout_redirect_uris=[f"{spa}/"],
        ),
        _client(
            "notes-spa",
            token_endpoint_auth_method="none",
            redirect_uris=[f"{notes_spa}/"],
            post_logout_redirect_uris=[f"{notes_spa}/"],
            scope="openid profile email notes:read notes:write",
        ),
        _client(
            "swagger-ui",
            token_endpoint_auth_method="none",
            redirect_uris=[f"{spa}/oauth2-redirect.html"],
            post_logout_redirect_uris=[],
            grant_types=["authorization_code"],
            scope="openid notes:read notes:write",
        ),
        _confidential(
            "rp",
            redirect_uris=[f"{rp}/callback" for rp in rps],
            post_logout_redirect_uris=[f"{rp}/left.html" for rp in rps],
            # localhost resolves everywhere, and the app's server accepts every host name.
            backchannel_logout_uri=f"https://localhost:{rp_port}/callback?logout=backchannel",
            backchannel_logout_session_required=True,
        ),
    ]


def as_toml(clients: Iterable[Client]) -> str:
    """Tables of the configuration file. They may follow other tables."""
    return "\n".join(
        "\n".join(["[[client]]", *(f"{name} = {toml_value(value)}" for name, value in client.items())]) + "\n"
        for client in clients
    )


def _client(client_id: str, **changes: Any) -> Client:
    return {
        "client_id": client_id,
        "client_name": f"The client {client_id}",
        "redirect_uris": [APP],
        "post_logout_redirect_uris": [APP_LEFT],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access notes:read",
        "first_party": True,
    } | changes


def _confidential(client_id: str, **changes: Any) -> Client:
    return _client(client_id, client_secret=secret_of(client_id)) | changes
