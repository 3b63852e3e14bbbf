"""Keys as JSON: RFC 7517, RFC 7518 §6, RFC 7638."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tallystick import base64url
from tallystick.jwk import PublicKey, SigningKey, parse_jwk, parse_jwk_set, public_jwk, thumbprint, thumbprint_of
from tests.support.token_issuer import jwk_set, new_rsa_key, new_signing_key

KEY = new_signing_key()
RSA_KEY = new_rsa_key()
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
"""RFC 8037 App. A.2."""


def as_jwk(key: SigningKey = KEY) -> dict[str, Any]:
    return dict(public_jwk(key.public.key, kid=key.kid, alg=key.alg))


def parse(*entries: object) -> dict[str, PublicKey]:
    return parse_jwk_set(json.dumps({"keys": list(entries)}).encode())


def test_thumbprint_of_rfc_7638_section_3_1() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    jwk = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("key", [KEY, RSA_KEY])
def test_thumbprint_does_not_depend_on_other_members_of_the_jwk(key: SigningKey) -> None:
    assert thumbprint(as_jwk(key)) == thumbprint({**as_jwk(key), "kid": "other"}) == thumbprint_of(key.public.key)


@pytest.mark.parametrize("jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}])
def test_thumbprint_requires_a_whole_public_key(jwk: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a public"):
        thumbprint(jwk)


def test_published_keys_parse_to_the_same_keys() -> None:
    assert parse_jwk_set(jwk_set(KEY, RSA_KEY)) == {KEY.kid: KEY.public, RSA_KEY.kid: RSA_KEY.public}


def test_coordinate_keeps_its_leading_zeros() -> None:
    generator = iter(range(1, 1_000_000))
    key = next(k for k in (ec.derive_private_key(i, ec.SECP256R1()) for i in generator) if _x(k) >> 248 == 0)
    jwk = public_jwk(key.public_key(), kid="k", alg="ES256")
    assert len(jwk["x"]) == 43
    assert parse(jwk)["k"].key == key.public_key()


def _x(key: ec.EllipticCurvePrivateKey) -> int:
    return key.public_key().public_numbers().x


def test_alg_and_use_are_optional() -> None:
    entry = {name: value for name, value in as_jwk().items() if name not in ("alg", "use")}
    assert parse(entry) == {KEY.kid: replace(KEY.public, alg=None)}


def test_key_is_for_its_alg_or_for_all_algorithms_of_its_kind() -> None:
    rsa_without_alg = {name: value for name, value in as_jwk(RSA_KEY).items() if name != "alg"}
    for jwk, algorithms in (
        (as_jwk(), {"ES256"}),
        (as_jwk(RSA_KEY), {"RS256"}),
        ({**as_jwk(RSA_KEY), "alg": "PS256"}, {"PS256"}),
        (rsa_without_alg, {"RS256", "PS256"}),
        (ED25519, {"EdDSA"}),
    ):
        key = parse_jwk(jwk, kid_may_be_absent=True)
        assert {alg for alg in ("ES256", "RS256", "PS256", "EdDSA", "none", "HS256") if key.is_for(alg)} == algorithms


def test_ed25519_key_parses_and_has_the_thumbprint_of_rfc_8037() -> None:
    key = parse_jwk(ED25519, kid_may_be_absent=True)
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037 App. A.3
    assert public_jwk(key.key, kid=key.kid, alg="EdDSA").items() >= ED25519.items()


def test_missing_kid_becomes_the_thumbprint_where_allowed() -> None:
    jwk = {name: value for name, value in as_jwk().items() if name != "kid"}
    assert parse_jwk(jwk, kid_may_be_absent=True) == KEY.public
    with pytest.raises(ValueError, match="kid"):
        parse_jwk(jwk)
    with pytest.raises(ValueError, match="kid"):
        parse_jwk({**jwk, "kid": None}, kid_may_be_absent=True)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_private_key_is_refused_without_showing_it(member: str) -> None:
    with pytest.raises(ValueError, match="private") as reason:
        parse_jwk({**as_jwk(RSA_KEY), member: "c2VjcmV0"})
    assert "c2VjcmV0" not in str(reason.value)


@pytest.mark.parametrize("fault", [{"x": ""}, {"x": "AAAA"}, {"x": 5}, {"crv": "Ed448"}, {"crv": "X25519"}])
def test_invalid_okp_key_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Ed25519|length"):
        parse_jwk({**ED25519, **fault}, kid_may_be_absent=True)


@pytest.mark.parametrize(
    "fault",
    [
        {"kid": None},
        {"kid": 5},
        {"kid": ""},
        {"kid": "k" * 129},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP"},
        {"kty": ["EC"]},
        {"crv": "P-384"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": "none"},
        {"alg": 5},
        {"x": 5},
        {"x": base64url.encode(bytes(32))},
        {"x": base64url.encode(bytes(31))},
        {"x": f"A{as_jwk()['x']}"},
        {"x": f"{as_jwk()['x']}="},
        {"d": base64url.encode(bytes(32))},
    ],
)
def test_unusable_key_is_skipped(fault: dict[str, object]) -> None:
    other = new_signing_key()
    assert parse({**as_jwk(), **fault}, None, "text", as_jwk(other)) == {other.kid: other.public}


@pytest.mark.parametrize(
    "fault",
    [
        {"n": base64url.encode(rsa.generate_private_key(65537, 1024).public_key().public_numbers().n.to_bytes(128))},
        {"n": base64url.encode(b"\xff" * 1025)},
        {"n": ""},
        {"e": base64url.encode(b"\x02")},
        {"e": base64url.encode(b"\x01")},
        {"e": base64url.encode(b"\xff" * 256)},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"alg": None},
    ],
)
def test_rsa_key_that_is_too_small_or_too_large_is_skipped(fault: dict[str, object]) -> None:
    assert parse({**as_jwk(RSA_KEY), **fault}) == {}


def test_first_of_two_keys_with_the_same_kid_is_used() -> None:
    other = {**as_jwk(new_signing_key()), "kid": KEY.kid}
    assert parse(as_jwk(), other) == {KEY.kid: KEY.public}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [], "keys": []}', b"<html>"])
def test_document_that_is_not_a_jwk_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - some messages are json's
        parse_jwk_set(document)


def test_key_with_an_alg_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="RS256"):
        SigningKey("k", "RS256", KEY.private_key)
    with pytest.raises(ValueError, match="ES256"):
        PublicKey("k", "ES256", RSA_KEY.public.key)
    with pytest.raises(ValueError, match="P-256"):
        SigningKey("k", "ES256", ec.generate_private_key(ec.SECP384R1()))
