"""Clients that the libraries register themselves, and the requests that such clients may send."""

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata  # type: ignore[import-untyped]

from tests.foreign.authlib_client import authlib_client
from tests.support.front import Front


@pytest.mark.parametrize(
    "flow", ["dynamic_registration", "form_post", "id_tokens_signed_with_rs256", "signed_userinfo"]
)
def test_openid_client(front: Front, flow: str) -> None:
    front.node("openid_client.js", flow)


@pytest.mark.parametrize("flow", ["dynamic_registration", "form_post"])
def test_oauth4webapi(front: Front, flow: str) -> None:
    front.node("oauth4webapi.js", flow)


async def test_the_metadata_have_all_members_that_openid_connect_discovery_requires(front: Front) -> None:
    async with authlib_client(front, "public", method="none") as client:
        OpenIDProviderMetadata(client.issuer_metadata).validate()  # RS256 is required (OpenID Connect Discovery §3)
