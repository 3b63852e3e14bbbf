"""Authlib's httpx client, which has no type annotations, and the steps that its tests share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from authlib.oidc.discovery import get_well_known_url  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.foreign_clients import APP
from tests.support.front import Front

CODE_VERIFIER = "a verifier of 43 characters or more".replace(" ", "-") * 2
NONCE = "n-0S6_WzA2Mj"


@asynccontextmanager
async def authlib_client(
    front: Front, client_id: str, client_secret: Any = None, *, method: str = "client_secret_basic"
) -> AsyncIterator[Any]:
    client = AsyncOAuth2Client(
        client_id,
        client_secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,  # the default for this endpoint is HTTP Basic
        redirect_uri=APP,
        scope="openid email offline_access",
        code_challenge_method="S256",
        verify=front.tls(),
        trust_env=False,
    )
    async with client:
        client.issuer_metadata = await _get(client, get_well_known_url(front.issuer, external=True))
        yield client


async def _get(client: Any, url: str) -> dict[str, Any]:
    """Fetch a public document."""
    document: dict[str, Any] = (await client.request("GET", url, withhold_token=True)).json()
    return document


async def sign_in(front: Front, client: Any) -> dict[str, Any]:
    """Sign in by code and PKCE. Returns the claims of the verified ID Token; the client keeps the other tokens."""
    url, state = client.create_authorization_url(
        client.issuer_metadata["authorization_endpoint"], code_verifier=CODE_VERIFIER, nonce=NONCE
    )
    async with front.http() as http:
        browser = front.browser(http)
        account = front.account
        back = await browser.sign_in(await browser.open(url), username=account.email, password=account.password)
    token = await client.fetch_token(
        client.issuer_metadata["token_endpoint"],
        authorization_response=back.headers["location"],
        state=state,
        code_verifier=CODE_VERIFIER,
    )
    keys = KeySet.import_key_set(await _get(client, client.issuer_metadata["jwks_uri"]))  # type: ignore[arg-type]
    algorithms = client.issuer_metadata["id_token_signing_alg_values_supported"]
    read = jwt.decode(token["id_token"], keys, algorithms=algorithms)
    claims = CodeIDToken(read.claims, read.header, params={"nonce": NONCE, "client_id": client.client_id})
    claims.validate()
    return dict(claims)


async def whole_way(front: Front, client: Any) -> None:
    """Sign in, userinfo, refresh, introspection, revocation."""
    metadata = client.issuer_metadata
    claims = await sign_in(front, client)
    user = (await client.get(metadata["userinfo_endpoint"])).json()
    assert user == {"sub": claims["sub"], "email": front.account.email, "email_verified": True}

    before = client.token["access_token"]
    await client.refresh_token(metadata["token_endpoint"])
    assert client.token["access_token"] != before
    assert (await client.get(metadata["userinfo_endpoint"])).json() == user

    told = await client.introspect_token(metadata["introspection_endpoint"], token=client.token["access_token"])
    assert told.json()["sub"] == claims["sub"]
    revoked = await client.revoke_token(
        metadata["revocation_endpoint"], token=client.token["refresh_token"], token_type_hint="refresh_token"
    )
    assert revoked.status_code == 200, revoked.text
    with pytest.raises(OAuthError, match="invalid_grant"):
        await client.refresh_token(metadata["token_endpoint"])
