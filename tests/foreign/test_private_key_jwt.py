"""private_key_jwt (RFC 7523 §2.2): the libraries put different claims into their assertions."""

import json

import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # type: ignore[import-untyped]
from joserfc.jwk import ECKey

from tests.foreign.authlib_client import authlib_client, whole_way
from tests.support.front import Front


@pytest.mark.parametrize("script", ["openid_client.js", "oauth4webapi.js"])
def test_code_with_private_key_jwt(front: Front, script: str) -> None:
    front.node(script, "code_with_private_key_jwt")


async def test_code_with_private_key_jwt_by_authlib(front: Front) -> None:
    key = ECKey.import_key(json.loads((front.files.var.parent / "flows.json").read_text())["private_key"])
    async with authlib_client(front, "private_key_jwt", key, method="private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(client.issuer_metadata["token_endpoint"], alg="ES256"))
        await whole_way(front, client)
