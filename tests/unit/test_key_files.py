"""Private and public keys from PEM text and from JWKs (RFC 7468, RFC 7517, RFC 7518 §6, RFC 8037)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tallystick.jwk import PrivateKey, thumbprint_of
from tallystick.jwt import CLIENT_ASSERTION, sign, verify_with_any_key
from tallystick.key_files import read_public_key, read_signing_key

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = [
    pytest.param(EC, "ES256", id="P-256"),
    pytest.param(RSA, "RS256", id="RSA"),
    pytest.param(ED, "EdDSA", id="Ed25519"),
]
JWKS = [
    pytest.param(ECKey.generate_key("P-256"), "ES256", id="P-256"),
    pytest.param(RSAKey.generate_key(2048), "RS256", id="RSA"),
    pytest.param(OKPKey.generate_key("Ed25519"), "EdDSA", id="Ed25519"),
]


def pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return text


def public_pem(key: Any) -> bytes:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text


@pytest.mark.parametrize(("key", "alg"), KEYS)
def test_key_in_pem_has_its_thumbprint_as_kid_and_an_alg_of_its_kind(key: PrivateKey, alg: str) -> None:
    thumbprint = thumbprint_of(key.public_key())
    for source in (pem(key), pem(key).decode(), key):
        signing = read_signing_key(source)
        assert (signing.kid, signing.alg) == (thumbprint, alg)
        assert "private" not in repr(signing)
    public = read_public_key(public_pem(key))
    assert (public.kid, public.alg) == (thumbprint, None)
    assert verify_with_any_key(sign({"a": 1}, signing, typ="JWT"), CLIENT_ASSERTION, [public]) == {"a": 1}


@pytest.mark.parametrize(("key", "alg"), JWKS)
def test_jwk_of_another_library_is_read(key: Key, alg: str) -> None:
    jwk = key.as_dict(private=True)
    signing = read_signing_key(jwk)
    assert (signing.kid, signing.alg) == (key.thumbprint(), alg)
    assert read_signing_key({**jwk, "kid": "k1", "alg": alg, "key_ops": ["sign"], "use": "sig"}).kid == "k1"
    assert read_signing_key({**jwk, "kid": "k1"}, kid="k2").kid == "k2"
    public = read_public_key(key.as_dict(private=False), kid="k3", alg=alg)
    assert (public.kid, public.alg) == ("k3", alg)
    assert verify_with_any_key(sign({"a": 1}, signing, typ="JWT"), CLIENT_ASSERTION, [public]) == {"a": 1}


def test_encrypted_key_needs_its_password() -> None:
    text = pem(EC, b"sesame")
    assert read_signing_key(text, password=b"sesame").alg == "ES256"
    for password in (None, b"wrong"):
        with pytest.raises(ValueError, match="password"):
            read_signing_key(text, password=password)
    with pytest.raises(ValueError, match="not encrypted"):
        read_signing_key(pem(EC), password=b"sesame")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "secret",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        public_pem(EC),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(dsa.generate_private_key(1024)),
        ec.generate_private_key(ec.SECP521R1()),
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
    ],
    ids=range(11),  # keys are new in every process
)
def test_other_private_keys_are_refused(source: Any) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - each has a message of its own
        read_signing_key(source)
    assert "AAAA" not in str(refused.value)


@pytest.mark.parametrize(
    "source", ["", "-----BEGIN", pem(EC), public_pem(ec.generate_private_key(ec.SECP384R1())), {}], ids=range(5)
)
def test_other_public_keys_are_refused(source: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_public_key(source)


@pytest.mark.parametrize(("key", "alg"), JWKS)
def test_jwk_with_a_fault_is_refused(key: Key, alg: str) -> None:
    jwk: dict[str, Any] = key.as_dict(private=True)
    other = type(key).generate_key(2048 if alg == "RS256" else jwk["crv"]).as_dict(private=True)  # type: ignore[arg-type]
    faults: list[dict[str, Any]] = [
        {"d": other["d"]},
        {"d": ""},
        {"d": 5},
        {"d": "AA"},
        {"d": jwk["d"] + "="},
        {"use": "enc"},
        {"kid": 5},
        {"kid": "k" * 129},
        {"alg": "HS256"},
        {"alg": "none"},
        {"kty": "oct"},
        {"oth": []} if alg == "RS256" else {"x": other["x"]},
        {"p": None} if alg == "RS256" else {"crv": "P-521"},
    ]
    for fault in faults:
        with pytest.raises(ValueError):  # noqa: PT011
            read_signing_key({**jwk, **fault})
    with pytest.raises(ValueError, match="not a private key"):
        read_signing_key(key.as_dict(private=False))
    with pytest.raises(ValueError, match="a private key"):
        read_public_key(jwk)
