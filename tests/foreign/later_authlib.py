"""Authlib on the pair behind its TLS front: what it demands of metadata, and a key in place of a secret."""

import json

from authlib.oauth2.rfc7523 import PrivateKeyJWT  # type: ignore[import-untyped]
from authlib.oidc.discovery import OpenIDProviderMetadata  # type: ignore[import-untyped]
from joserfc.jwk import ECKey

from tests.foreign.authlib_client import authlib_client, whole_way
from tests.support.front import Front


async def test_the_metadata_have_all_that_openid_connect_discovery_demands(front: Front) -> None:
    async with authlib_client(front, "public", method="none") as client:
        OpenIDProviderMetadata(client.issuer_metadata).validate()  # RS256 among it


async def test_code_with_private_key_jwt(front: Front) -> None:
    key = ECKey.import_key(json.loads((front.place.var.parent / "flows.json").read_text())["private_key"])
    async with authlib_client(front, "private_key_jwt", key, method="private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(client.issuer_metadata["token_endpoint"], alg="ES256"))
        await whole_way(front, client)
