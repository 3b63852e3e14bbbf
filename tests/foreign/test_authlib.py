"""Authlib as a client of both services behind the TLS front."""

from tests.foreign.authlib_client import authlib_client, sign_in, whole_way
from tests.support.declared import secret_of
from tests.support.front import Front


async def test_code_with_client_secret_basic(front: Front) -> None:
    async with authlib_client(front, "basic", secret_of("basic")) as client:
        await whole_way(front, client)


async def test_code_with_client_secret_post(front: Front) -> None:
    async with authlib_client(front, "post", secret_of("post"), method="client_secret_post") as client:
        await whole_way(front, client)


async def test_the_id_token_has_the_declared_claims(front: Front) -> None:
    """Auth.js and oauth2-proxy need them there. The requested scope is `openid email offline_access`."""
    async with authlib_client(front, "claims_in_id_token", secret_of("claims_in_id_token")) as client:
        claims = await sign_in(front, client)
    assert claims["email"] == front.account.email
    assert "name" not in claims


async def test_client_credentials(front: Front) -> None:
    async with authlib_client(front, "bot", secret_of("bot")) as client:
        endpoint = client.issuer_metadata["token_endpoint"]
        token = await client.fetch_token(endpoint, grant_type="client_credentials", scope="notes:read")
        assert token["scope"] == "notes:read"
