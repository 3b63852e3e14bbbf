"""Discovery of the jwks_uri: OpenID Connect Discovery §4, RFC 8414 §3."""

import pytest

from tallystick.remote.key_set import RemoteKeySet
from tests.support.token_issuer import ISSUER, TokenIssuer


def discovered(issuer: TokenIssuer, identifier: str = ISSUER) -> RemoteKeySet:
    return RemoteKeySet(identifier, clock=issuer.clock, transport=issuer.transport)


async def test_jwks_uri_is_found_through_the_metadata(issuer: TokenIssuer) -> None:
    key_set = discovered(issuer)
    await key_set.refresh()
    await key_set.refresh()
    assert issuer.paths == ["/.well-known/openid-configuration", "/keys", "/keys"]
    assert key_set.keys


async def test_metadata_urls_of_an_issuer_with_a_path(issuer: TokenIssuer) -> None:
    issuer.metadata = {}
    await discovered(issuer, f"{ISSUER}/tenant").refresh()
    assert issuer.paths == [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenant",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 5},
        {"jwks_uri": "http://id.example.com/keys"},
        {"jwks_uri": "file:///keys"},
    ],
    ids=str,
)
async def test_metadata_with_another_issuer_or_a_bad_jwks_uri_is_refused(
    issuer: TokenIssuer, fault: dict[str, object]
) -> None:
    issuer.metadata |= fault
    key_set = discovered(issuer)
    await key_set.refresh()
    assert issuer.fetches == 0
    assert not key_set.keys


async def test_jwks_uri_may_have_a_query(issuer: TokenIssuer) -> None:
    issuer.metadata["jwks_uri"] = f"{ISSUER}/keys?policy=1"
    key_set = discovered(issuer)
    await key_set.refresh()
    assert key_set.keys


async def test_moved_jwks_uri_is_found_again(issuer: TokenIssuer) -> None:
    key_set = discovered(issuer)
    await key_set.refresh()
    issuer.metadata["jwks_uri"] = f"{ISSUER}/new-keys"
    issuer.status = 404
    await key_set.refresh()
    issuer.status = 200
    await key_set.refresh()
    assert issuer.paths[-1] == "/new-keys"
