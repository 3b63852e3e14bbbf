"""The `jwks` of a client has only public keys that we can use."""

from typing import Any

import pytest

from auth_service.client_metadata.jwks import check_client_jwks
from auth_service.client_metadata.metadata import ClientMetadata
from tests.support.asserting_client import jwk_of, new_key

GOOD = jwk_of(new_key("ES256"))
RSA = new_key("RS256")


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
def test_each_key_type_is_accepted_with_and_without_a_kid(alg: str) -> None:
    for kid in ("k1", None):
        jwks = {"keys": [jwk_of(new_key(alg, kid))]}
        assert check_client_jwks(jwks) == jwks


def test_a_key_for_encryption_is_accepted() -> None:
    jwks = {"keys": [GOOD, jwk_of(new_key("RS256", "e", use="enc")), {"kty": "EC", "crv": "P-384", "use": "enc"}]}
    assert check_client_jwks(jwks) == jwks


@pytest.mark.parametrize(
    ("jwks", "reason"),
    [
        ({}, "a list of keys"),
        ({"keys": None}, "a list of keys"),
        ({"keys": {}}, "a list of keys"),
        ({"keys": []}, "a list of keys"),
        ({"keys": [GOOD] * 21}, "at most 20 keys"),
        ({"keys": [GOOD], "x": "x" * 16_384}, "16384 bytes"),
        ({"keys": [GOOD, 5]}, "key 1: not an object"),
        ({"keys": [GOOD, GOOD | {"d": "c2VjcmV0"}]}, "key 1: a private key"),
        ({"keys": [GOOD | {"use": "enc", "d": "c2VjcmV0"}]}, "key 0: a private key"),
        ({"keys": [dict(RSA.as_dict(private=True))]}, "key 0: a private key"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "key 0: a private key"),
        ({"keys": [GOOD | {"crv": "P-384"}]}, "key 0: neither"),
        ({"keys": [GOOD | {"alg": "ES384"}]}, "key 0: this key is not for ES384"),
        ({"keys": [GOOD | {"alg": "none"}]}, "key 0: this key is not for none"),
        ({"keys": [GOOD | {"x": "AAAA"}]}, "key 0: a coordinate"),
        ({"keys": [GOOD | {"kid": 5}]}, "key 0: no usable kid"),
        ({"keys": [GOOD | {"key_ops": ["sign"]}]}, "key 0: not for verifying"),
        ({"keys": [{}]}, "key 0: neither"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # keys are new in every worker
)
def test_a_set_with_an_unusable_key_is_refused_with_a_reason(jwks: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        check_client_jwks(jwks)
    assert "c2VjcmV0" not in str(refusal.value)


def test_the_rules_apply_to_declared_clients() -> None:
    good = {"token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"]}
    assert ClientMetadata.model_validate(good | {"jwks": {"keys": [GOOD]}}).jwks == {"keys": [GOOD]}
    for changes, reason in (
        ({"jwks": {"keys": [{}]}}, "key 0"),
        ({"jwks": {"keys": [GOOD]}, "jwks_uri": "https://app.example.org/keys"}, "exclude each other"),
        ({}, "needs jwks or jwks_uri"),
        ({"jwks_uri": "http://app.example.org/keys"}, "must be https"),
        ({"jwks_uri": "https://user@app.example.org/keys"}, "no user"),
        ({"jwks_uri": "file:///etc/passwd"}, "must be an https URL"),
    ):
        with pytest.raises(ValueError, match=reason):
            ClientMetadata.model_validate(good | changes)
