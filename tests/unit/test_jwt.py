"""The one strict way to read a JWT: RFC 7515, RFC 7519, RFC 8725."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import get_algorithm_by_name

from tallystick import base64url
from tallystick.errors import InvalidToken
from tallystick.jwk import parse_jwk_set
from tallystick.jwt import (
    ACCESS_TOKEN,
    CLIENT_ASSERTION,
    ID_TOKEN,
    Header,
    Profile,
    parse_header,
    parse_unverified,
    sign,
    verify_signature,
    verify_with_any_key,
)
from tests.support.token_issuer import ABSENT, jwk_set, jws, new_rsa_key, new_signing_key

KEY = replace(new_signing_key(), kid="the-p256-key")  # the same test ids in every worker
RSA_KEY = replace(new_rsa_key(), kid="the-rsa-key")
KEYS = parse_jwk_set(jwk_set(KEY, RSA_KEY))
HEADER = {"typ": "at+jwt", "alg": "ES256", "kid": KEY.kid}
CLAIMS = {"sub": "user-1", "name": "Ada Lovelace"}
GOOD = sign(CLAIMS, KEY, typ="at+jwt")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def read_access_token(token: str) -> dict[str, object]:
    return verify_signature(token, ACCESS_TOKEN, KEYS.__getitem__)


def test_example_of_rfc_7515_appendix_a_3() -> None:
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "kid": "a.3",
    }
    key = parse_jwk_set(json.dumps({"keys": [jwk]}).encode())["a.3"].key
    signing_input = (
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    # Only the signature, because its header has no kid, which the profiles require.
    assert get_algorithm_by_name("ES256").verify(signing_input.encode(), key, base64url.decode(signature))


def test_signed_token_verifies() -> None:
    assert read_access_token(GOOD) == CLAIMS
    assert parse_header(GOOD, ACCESS_TOKEN) == Header("ES256", KEY.kid)


def test_id_token_may_be_signed_with_rsa() -> None:
    assert verify_signature(sign(CLAIMS, RSA_KEY, typ="JWT"), ID_TOKEN, KEYS.__getitem__) == CLAIMS


@pytest.mark.parametrize("claims", [{"name": "\ud800"}, {"n": float("nan")}, {"n": float("inf")}])
def test_claims_that_strict_json_refuses_are_not_signed(claims: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the codec's or json's
        sign(claims, KEY, typ="JWT")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+JWT"])
def test_typ_is_compared_without_regard_to_case(typ: str) -> None:
    assert read_access_token(jws(json.dumps({**HEADER, "typ": typ}), json.dumps(CLAIMS), KEY)) == CLAIMS


def test_typ_may_be_absent_only_where_the_profile_allows_it() -> None:
    header = {name: value for name, value in HEADER.items() if name != "typ"}
    token = jws(json.dumps(header), json.dumps(CLAIMS), KEY)
    assert verify_signature(token, ID_TOKEN, KEYS.__getitem__) == CLAIMS
    with pytest.raises(InvalidToken):
        read_access_token(token)


@pytest.mark.parametrize(
    "fault",
    [
        {"typ": "JWT"},
        {"typ": "logout+jwt"},
        {"typ": "at+jwt "},
        {"typ": ""},
        {"typ": 5},
        {"typ": None},
        {"typ": ["at+jwt"]},
        {"typ": ABSENT},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": ""},
        {"alg": "es256"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": ["ES256"]},
        {"alg": {}},
        {"alg": None},
        {"alg": ABSENT},
        {"kid": "unknown"},
        {"kid": RSA_KEY.kid},
        {"kid": ""},
        {"kid": 0},
        {"kid": None},
        {"kid": ["k"]},
        {"kid": {}},
        {"kid": "k" * 129},
        {"kid": f"{KEY.kid}\n"},
        {"kid": ABSENT},
        {"jwk": {}},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": []},
        {"crit": []},
        {"crit": ["exp"], "exp": 1},
        {"b64": True},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_header_that_violates_the_profile_is_refused(fault: dict[str, object]) -> None:
    header = {name: value for name, value in {**HEADER, **fault}.items() if value is not ABSENT}
    token = jws(json.dumps(header), json.dumps(CLAIMS), KEY)
    with pytest.raises(InvalidToken):
        read_access_token(token)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        "[]",
        "null",
        '"at+jwt"',
        json.dumps(HEADER)[:-1],
        json.dumps(HEADER)[:-1] + ', "alg": "ES256"}',
        json.dumps(HEADER)[:-1] + ', "\\u0061lg": "ES256"}',
        json.dumps(HEADER)[:-1] + ', "x": "\\ud800"}',
        json.dumps(HEADER)[:-1] + ', "x": NaN}',
        "\ufeff" + json.dumps(HEADER),
        json.dumps(HEADER).encode("utf-16"),
        json.dumps(HEADER).encode() + b"\x00",
        '{"x":' * 900 + "1" + "}" * 900,
    ],
    ids=lambda header: repr(header[:20]) + repr(header[-20:]),
)
def test_malformed_or_ambiguous_header_is_refused(header: str | bytes) -> None:
    with pytest.raises(InvalidToken):
        read_access_token(jws(header, json.dumps(CLAIMS), KEY))


def test_header_length_is_bounded_because_headers_are_cached() -> None:
    for padding, is_accepted in ((1300, True), (1600, False)):
        token = jws(json.dumps(HEADER | {"x": "x" * padding}), json.dumps(CLAIMS), KEY)
        with nullcontext() if is_accepted else pytest.raises(InvalidToken):
            read_access_token(token)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "null",
        '{"sub": "a", "sub": "b"}',
        '{"sub": "a", "act": {"sub": "b", "sub": "c"}}',
        "\ufeff{}",
        '{"sub": "a"}'.encode("utf-16"),
        '{"sub": "a"}'.encode("utf-32-be"),
        b'{"sub": "\xff"}',
        '{"sub": "\\udfff"}',
        '{"exp": Infinity}',
        '{"exp": 1e999}',
        '{"exp": ' + "9" * 5000 + "}",
        '{"x": ' + "[" * 2500 + "]" * 2500 + "}",
        '{"x":' * 1000 + "1" + "}" * 1000,
    ],
    ids=lambda payload: repr(payload[:50]),
)
def test_malformed_or_ambiguous_payload_is_refused(payload: str | bytes) -> None:
    with pytest.raises(InvalidToken):
        read_access_token(jws(json.dumps(HEADER), payload, KEY))


@pytest.mark.parametrize(
    "change",
    [
        lambda h, p, s: "",
        lambda h, p, s: ".",
        lambda h, p, s: "..",
        lambda h, p, s: f"{h}.{p}",
        lambda h, p, s: f"{h}.{p}.",
        lambda h, p, s: f"{h}..{s}",
        lambda h, p, s: f".{p}.{s}",
        lambda h, p, s: f"{h}.{p}.{s}.",
        lambda h, p, s: f"{h}.{p}.{s}.{s}.{s}",
        lambda h, p, s: f"{h}.{p}.{s}=",
        lambda h, p, s: f"{h}.{p}.{s}==",
        lambda h, p, s: f"{h}=.{p}.{s}",
        lambda h, p, s: f"{h}.{p}.{s}\n",
        lambda h, p, s: f" {h}.{p}.{s}",
        lambda h, p, s: f"{h}.{p} .{s}",
        lambda h, p, s: f"{h}.{p}\n.{s}",
        lambda h, p, s: f"{h}.{p}.{s}\x00",
        lambda h, p, s: f"{h}.{p}.{s[:-1]}",
        lambda h, p, s: f"{h}.{p}.{s[:-2]}",
        lambda h, p, s: f"{h}.{p}.{s[:-4]}",
        lambda h, p, s: f"{h}.{p}.AAAA{s}",
        lambda h, p, s: f"{h}.{p}.{s}AAAA",
        lambda h, p, s: f"{h}.{p}.{s[:-1]}{chr(ord(s[-1]) + 1)}",  # the same bytes with other unused bits
        lambda h, p, s: f"{h}.{p}.{'A' * 86}",
        lambda h, p, s: f"{h}.{p}.{'A' * 43}{s[43:]}",
        lambda h, p, s: f"{h}.{p}.{base64url.encode(base64url.decode(s)[32:] + base64url.decode(s)[:32])}",
        lambda h, p, s: f"{h}.{p}.{base64url.encode(P256_ORDER.to_bytes(32) * 2)}",
        lambda h, p, s: f"{h}.{p}.{base64url.encode(_der(s))}",
        lambda h, p, s: f"{h}.{base64url.encode(b'{}')}.{s}",
        lambda h, p, s: f"{p}.{h}.{s}",
        lambda h, p, s: f"{h}.{p}.{s}".replace("e", "ｅ"),
        lambda h, p, s: f"{h}.{p}\ud800.{s}",
        lambda h, p, s: "A" * 100_000,
        lambda h, p, s: "." * 8000,
    ],
)
def test_changed_token_is_refused(change: Callable[[str, str, str], str]) -> None:
    with pytest.raises(InvalidToken):
        read_access_token(change(*GOOD.split(".")))


def _der(signature: str) -> bytes:
    raw = base64url.decode(signature)
    return b"\x30\x44\x02\x20" + raw[:32] + b"\x02\x20" + raw[32:]


EDGES = (0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1)


@pytest.mark.parametrize("r", EDGES, ids=hex)
@pytest.mark.parametrize("s", EDGES, ids=hex)
def test_edge_values_of_r_and_s_are_refused(r: int, s: int) -> None:
    signing_input = GOOD.rpartition(".")[0]
    with pytest.raises(InvalidToken):
        read_access_token(f"{signing_input}.{base64url.encode(r.to_bytes(32) + s.to_bytes(32))}")


def assertion(**header: object) -> str:
    return jws(json.dumps({"alg": "ES256", **header}), json.dumps(CLAIMS), KEY)


@pytest.mark.parametrize("typ", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}])
def test_client_assertion_needs_neither_kid_nor_typ(typ: dict[str, object]) -> None:
    for token in (assertion(**typ), assertion(kid=KEY.kid, **typ)):
        assert verify_with_any_key(token, CLIENT_ASSERTION, [RSA_KEY.public, KEY.public]) == CLAIMS
    assert parse_header(assertion(**typ), CLIENT_ASSERTION) == Header("ES256", "")


@pytest.mark.parametrize(
    "header",
    [
        {"kid": ""},
        {"kid": None},
        {"kid": 5},
        {"kid": "k" * 129},
        {"typ": "at+jwt"},
        {"typ": None},
        {"alg": "HS256"},
        {"alg": "none"},
        {"jwk": {}},
        {"jku": "https://evil.example/keys"},
        {"x5c": []},
        {"crit": ["exp"]},
        {"b64": False},
    ],
)
def test_client_assertion_with_another_header_fault_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(InvalidToken):
        verify_with_any_key(assertion(**header), CLIENT_ASSERTION, [KEY.public])
    with pytest.raises(InvalidToken):
        parse_unverified(assertion(**header), CLIENT_ASSERTION)


def test_token_that_no_key_verifies_is_refused() -> None:
    for keys in ([], [RSA_KEY.public, new_signing_key().public]):
        with pytest.raises(InvalidToken):
            verify_with_any_key(assertion(), CLIENT_ASSERTION, keys)


def test_unverified_payload_is_parsed_only_for_the_right_profile() -> None:
    forged = f"{assertion().rpartition('.')[0]}.AAAA"
    assert parse_unverified(forged, CLIENT_ASSERTION) == CLAIMS
    with pytest.raises(InvalidToken):
        parse_unverified(forged, ACCESS_TOKEN)


def test_token_longer_than_its_profile_allows_is_refused() -> None:
    profile = replace(ACCESS_TOKEN, max_bytes=len(GOOD))
    assert verify_signature(GOOD, profile, KEYS.__getitem__) == CLAIMS
    with pytest.raises(InvalidToken):
        verify_signature(GOOD, replace(profile, max_bytes=len(GOOD) - 1), KEYS.__getitem__)


def test_hmac_with_the_public_key_is_refused() -> None:
    assert isinstance(KEY.public.key, EllipticCurvePublicKey)
    pem = KEY.public.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header, payload = (base64url.encode(json.dumps(part).encode()) for part in ({**HEADER, "alg": "HS256"}, CLAIMS))
    mac = hmac.HMAC(pem, hashes.SHA256())
    mac.update(f"{header}.{payload}".encode())
    token = f"{header}.{payload}.{base64url.encode(mac.finalize())}"
    with pytest.raises(InvalidToken):
        verify_signature(
            token, Profile(typ=frozenset({"at+jwt"}), algorithms=frozenset({"HS256", "ES256"})), KEYS.__getitem__
        )


def test_key_of_another_algorithm_is_refused() -> None:
    token = sign(CLAIMS, RSA_KEY, typ="JWT")
    with pytest.raises(InvalidToken):
        verify_signature(token, ID_TOKEN, lambda _: KEY.public)


def test_malleated_signature_verifies() -> None:
    """Any caller can turn (r, s) into (r, n - s), so the text of a token must not be used as its identifier."""
    signing_input, _, signature = GOOD.rpartition(".")
    raw = base64url.decode(signature)
    malleated = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    assert read_access_token(f"{signing_input}.{base64url.encode(malleated)}") == CLAIMS


@settings(deadline=None)
@given(st.text())
def test_arbitrary_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        read_access_token(text)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8)), st.binary(max_size=64))
def test_arbitrary_signed_payload_is_parsed_exactly_or_refused(header: dict[str, object], payload: bytes) -> None:
    token = jws(json.dumps({**header, **HEADER}), payload, KEY)
    try:
        claims = read_access_token(token)
    except InvalidToken:
        return
    assert claims == json.loads(payload)


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_token_with_one_changed_character_is_refused(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(InvalidToken):
            read_access_token(changed)
