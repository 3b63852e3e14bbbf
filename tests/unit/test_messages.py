"""tallystick.messages: signed JSON between two parties (RFC 7515, RFC 7518 §3.2, RFC 7519, RFC 8725)."""

import hmac
import json
import re
import secrets
import sqlite3
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tallystick import base64url
from tallystick.errors import InvalidToken
from tallystick.jwk import SharedSecret, SigningKey
from tallystick.jwt import ACCESS_TOKEN, CLIENT_ASSERTION, ID_TOKEN, STATUS_LIST, verify_signature, verify_with_any_key
from tallystick.key_files import read_signing_key
from tallystick.messages import MAX_BYTES, MAX_LIFETIME, TYP, InvalidMessage, Message, VerificationKey, read, sign
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT

NOW = 1_800_000_000
SHOP, BILLING = "https://shop.example.com", "billing"
PAYLOAD: dict[str, object] = {"order": 7, "lines": [{"sku": "a-1", "price": 1.5}], "note": "Größe 𝄞", "paid": None}


@dataclass(frozen=True)
class Party:
    """A sender: its key, and the key that its receivers hold."""

    key: SigningKey | SharedSecret
    verifies: VerificationKey


def _party(key: Any, kid: str) -> Party:
    signing = read_signing_key(key, kid=kid)
    return Party(signing, signing.public)


SECRET = SharedSecret(secrets.token_bytes(32), "2027")
PARTIES = {
    "ES256": _party(ec.generate_private_key(ec.SECP256R1()), "es"),
    "EdDSA": _party(ed25519.Ed25519PrivateKey.generate(), "ed"),
    "RS256": _party(rsa.generate_private_key(65537, 2048), "rs"),
    "HS256": Party(SECRET, SECRET),
}
EVERY_KEY = [party.verifies for party in PARTIES.values()]


def clock() -> int:
    return NOW


def signed(alg: str = "ES256", **changes: Any) -> str:
    arguments: dict[str, Any] = {"issuer": SHOP, "audience": BILLING, "lifetime": 60, "clock": clock} | changes
    return sign(arguments.pop("payload", PAYLOAD), PARTIES[alg].key, **arguments)


def received(message: str, keys: Any = EVERY_KEY, **changes: Any) -> Message:
    arguments: dict[str, Any] = {"issuer": SHOP, "audience": BILLING, "clock": clock} | changes
    return read(message, keys, **arguments)


def reason_of(message: str, keys: Any = EVERY_KEY, **changes: Any) -> str:
    with pytest.raises(InvalidMessage) as refused:
        received(message, keys, **changes)
    return refused.value.reason


def forged(
    alg: str = "HS256", header: dict[str, object] | None = None, payload: str | None = None, /, **claims: object
) -> str:
    """A message with a good signature by the party of `alg`, after changes to its header and claims."""
    own_header = {"typ": TYP, "alg": alg, "kid": PARTIES[alg].key.kid} | (header or {})
    own_claims = {"iss": SHOP, "aud": BILLING, "jti": "m-1", "iat": NOW, "exp": NOW + 60, "payload": PAYLOAD} | claims
    kept = [{name: value for name, value in part.items() if value is not ABSENT} for part in (own_header, own_claims)]
    return _hs256(json.dumps(kept[0]).encode(), (payload or json.dumps(kept[1])).encode(errors="surrogatepass"))


def _hs256(header: bytes, payload: bytes, secret: bytes = SECRET.key) -> str:
    signing_input = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    return f"{signing_input}.{base64url.encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


@pytest.mark.parametrize("alg", PARTIES)
def test_message_is_read_by_the_holder_of_the_key(alg: str) -> None:
    message = received(signed(alg), PARTIES[alg].verifies)
    assert message.payload == PAYLOAD
    assert (message.issuer, message.audience, message.iat, message.exp) == (SHOP, BILLING, NOW, NOW + 60)
    assert json.loads(base64url.decode(signed(alg).partition(".")[0])) == {
        "typ": TYP,
        "alg": alg,
        "kid": PARTIES[alg].key.kid,
    }


def test_each_message_has_an_id_of_its_own() -> None:
    messages = [received(signed()) for _ in range(3)] + [received(signed(issuer="b"), issuer="b")]
    assert len({message.id for message in messages}) == len({message.jti for message in messages}) == 4
    assert all(len(message.id) == 43 for message in messages)
    same_jti = [received(forged(iss=issuer, jti="m-1"), issuer=issuer).id for issuer in (SHOP, "other")]
    assert len(set(same_jti)) == 2


# Another library, both ways


def _foreign(alg: str) -> Any:
    key = PARTIES[alg].key
    if isinstance(key, SharedSecret):
        return OctKey.import_key(key.key)
    pem = key.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kinds: dict[str, Any] = {"ES256": ECKey, "EdDSA": OKPKey, "RS256": RSAKey}
    return kinds[alg].import_key(pem)


@pytest.mark.parametrize("alg", PARTIES)
def test_joserfc_reads_our_messages_and_we_read_its(alg: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # about the name EdDSA, which RFC 9864 deprecates
        theirs = jws.deserialize_compact(signed(alg).encode(), _foreign(alg), algorithms=[alg])
        assert json.loads(theirs.payload)["payload"] == PAYLOAD
        header = {"typ": f"application/{TYP}", "alg": alg, "kid": PARTIES[alg].key.kid}
        ours = jws.serialize_compact(header, theirs.payload, _foreign(alg), algorithms=[alg])
    assert received(ours).payload == PAYLOAD


def test_pyjwt_reads_our_messages_and_we_read_its() -> None:
    token = signed("HS256", clock=lambda: int(time()))
    claims = pyjwt.decode(token, SECRET.key, algorithms=["HS256"], audience=BILLING, issuer=SHOP)
    assert claims["payload"] == PAYLOAD
    theirs = pyjwt.encode(claims, SECRET.key, "HS256", headers={"typ": TYP, "kid": SECRET.kid})
    assert received(theirs, clock=lambda: claims["iat"]).payload == PAYLOAD


# What is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"iss": f"{SHOP}/"}, "wrong_issuer"),
        ({"aud": "shop"}, "wrong_audience"),
        ({"aud": "Billing"}, "wrong_audience"),
        ({"aud": [BILLING]}, "malformed"),
        ({"exp": NOW - 61, "iat": NOW - 100}, "expired"),
        ({"iat": NOW + 61, "exp": NOW + 100}, "not_yet_valid"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"exp": NOW + MAX_LIFETIME + 1}, "lifetime_too_long"),
        ({"exp": NOW, "iat": NOW}, "lifetime_too_long"),
        ({"exp": 10**30}, "lifetime_too_long"),
        ({"iat": -(10**30)}, "lifetime_too_long"),
        *[({name: ABSENT}, "malformed") for name in ("iss", "aud", "jti", "iat", "exp", "payload")],
        *[({name: None}, "malformed") for name in ("iss", "aud", "jti", "iat", "exp", "payload")],
        ({"exp": str(NOW + 60)}, "malformed"),
        ({"exp": NOW + 60.5}, "malformed"),
        ({"iat": True}, "malformed"),
        ({"jti": ""}, "malformed"),
        ({"jti": "a\nb"}, "malformed"),
        ({"jti": "x" * 1025}, "malformed"),
        ({"payload": [PAYLOAD]}, "malformed"),
        ({"payload": json.dumps(PAYLOAD)}, "malformed"),
    ],
    ids=str,
)
def test_message_with_other_claims_is_refused(changes: dict[str, object], reason: str) -> None:
    assert received(forged()).payload == PAYLOAD
    assert reason_of(forged("HS256", None, None, **changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        *[{"typ": typ} for typ in ("JWT", "at+jwt", "message+jwt", "", None, 5, [TYP], ABSENT)],
        *[{"alg": alg} for alg in ("none", "None", "", "hs256", "HS384", "ES256", "RS256", "PS256", 5, None, ABSENT)],
        *[{"kid": kid} for kid in ("", None, 5, "k" * 129)],
        {"crit": ["exp"]},
        {"b64": False},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "https://evil.example/keys"},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_message_with_another_header_is_refused(changes: dict[str, object]) -> None:
    assert reason_of(forged("HS256", changes)) == "malformed"


def test_key_that_is_not_among_the_keys_of_the_issuer_is_refused() -> None:
    assert reason_of(signed("ES256"), PARTIES["EdDSA"].verifies) == "unknown_key"
    assert reason_of(signed("ES256"), []) == "unknown_key"
    assert reason_of(forged("HS256", {"kid": ABSENT})) == "unknown_key"
    assert reason_of(forged("HS256", {"kid": "es"})) == "malformed"  # a key of another kind


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
@pytest.mark.parametrize(
    "encoded",
    [
        lambda key: key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        lambda key: key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        lambda key: key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    ],
    ids=["PEM", "DER", "OpenSSH"],
)
def test_public_key_is_never_a_shared_secret(alg: str, encoded: Callable[[Any], bytes]) -> None:
    party = PARTIES[alg].verifies
    assert not isinstance(party, SharedSecret)
    known_to_everybody = encoded(party.key)
    with pytest.raises(ValueError, match="not a secret"):
        SharedSecret(known_to_everybody, party.kid)
    header, payload, _ = forged("HS256", {"kid": party.kid}).split(".")
    token = _hs256(base64url.decode(header), base64url.decode(payload), known_to_everybody)
    assert reason_of(token, party) == "malformed"


def test_signature_of_another_algorithm_is_not_accepted_with_a_secret() -> None:
    for alg in ("ES256", "RS256", "EdDSA"):
        named = replace(PARTIES[alg].key, kid=SECRET.kid)
        message = sign(PAYLOAD, named, issuer=SHOP, audience=BILLING, lifetime=60, clock=clock)
        assert reason_of(message, SECRET) == "malformed"


@pytest.mark.parametrize("secret", [b"", b"x" * 31, "x" * 32, json.dumps({"kty": "EC", "x": "a" * 43}).encode()])
def test_short_text_or_jwk_is_no_shared_secret(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        SharedSecret(secret)


def test_secret_without_a_name_is_used_for_messages_without_a_kid() -> None:
    unnamed = SharedSecret(SECRET.key)
    message = sign(PAYLOAD, unnamed, issuer=SHOP, audience=BILLING, lifetime=60, clock=clock)
    assert received(message, unnamed).payload == received(forged("HS256", {"kid": ABSENT}), unnamed).payload == PAYLOAD
    assert reason_of(message, SECRET) == "unknown_key"


def test_secret_is_in_no_repr() -> None:
    assert repr(SECRET) == "SharedSecret(kid='2027')"


def _claims(payload: str, jti: str = "a") -> str:
    return (
        f'{{"iss": "{SHOP}", "aud": "{BILLING}", "jti": "{jti}", "iat": {NOW}, "exp": {NOW + 9}, "payload": {payload}}}'
    )


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "null",
        json.dumps(PAYLOAD),
        "\ufeff{}",
        '{"iss": "a", "iss": "b"}',
        _claims('{"a": 1, "a": 2}'),
        _claims('{"a": NaN}'),
        _claims('{"a": "\\ud800"}'),
        _claims("{}", jti="\ud800"),
        _claims('{"a":' + "[" * 99 + "]" * 99 + "}"),
    ],
    ids=lambda payload: ascii(payload[-40:]),
)
def test_signed_text_that_is_not_strict_json_is_refused(payload: str) -> None:
    assert received(
        _hs256(json.dumps({"typ": TYP, "alg": "HS256", "kid": SECRET.kid}).encode(), _claims("{}").encode())
    )
    message = _hs256(
        json.dumps({"typ": TYP, "alg": "HS256", "kid": SECRET.kid}).encode(), payload.encode(errors="surrogatepass")
    )
    assert reason_of(message) == "malformed"


@pytest.mark.parametrize("alg", PARTIES)
def test_changed_or_truncated_message_is_refused(alg: str) -> None:
    message = signed(alg)
    header, payload, signature = message.split(".")
    other = signed(alg, payload={"order": 8}).split(".")[1]
    assert reason_of(f"{header}.{other}.{signature}") == "bad_signature"
    assert reason_of(f"{header}.{payload}.") == "bad_signature"
    for text in (
        "",
        "..",
        message[:-1] + "=",
        f"{header}.{payload}",
        message + ".",
        f" {message}",
        message + "\n",
        "\ud800",
    ):
        assert reason_of(text) == "malformed"
    for length in range(1, len(message), 37):
        assert reason_of(message[:length]) in ("malformed", "bad_signature")


def test_size_is_bounded_for_sender_and_receiver() -> None:
    fits = {"x": "x" * (MAX_BYTES * 3 // 4 - 400)}
    assert received(signed(payload=fits)).payload == fits
    with pytest.raises(ValueError, match="too long"):
        signed(payload={"x": "x" * MAX_BYTES})
    assert reason_of(forged("HS256", None, None, payload={"x": "x" * MAX_BYTES})) == "malformed"
    assert reason_of("a" * 10 * MAX_BYTES) == "malformed"


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_arbitrary_text_is_refused(text: str) -> None:
    assert reason_of(text) == "malformed"


# Replay


def test_replayed_message_is_refused_and_only_good_messages_are_recorded() -> None:
    recorded: dict[str, int] = {}

    def seen(message_id: str, keep_until: int) -> bool:
        return recorded.setdefault(message_id, keep_until) is not keep_until

    message = signed()
    assert reason_of(message, seen=seen, audience="other") == "wrong_audience"
    assert reason_of(message[:-4], seen=seen) in ("malformed", "bad_signature")
    assert not recorded
    first = received(message, seen=seen)
    assert recorded == {first.id: first.keep_until}
    assert reason_of(message, seen=seen) == "replayed"
    assert received(signed(), seen=seen).id != first.id


def test_id_is_kept_until_the_message_is_refused_as_expired() -> None:
    later = MovableClock(NOW)
    message = signed()
    keep_until = received(message).keep_until
    later.now = keep_until - 1
    received(message, clock=later)
    later.now = keep_until
    assert reason_of(message, clock=later) == "expired"


def test_failure_of_the_replay_memory_is_not_an_acceptance() -> None:
    def unavailable(_id: str, _until: int) -> bool:
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        received(signed(), seen=unavailable)


# One kind of token is never another kind


def test_message_is_no_other_token_and_no_other_token_is_a_message() -> None:
    key = PARTIES["ES256"]
    assert not isinstance(key.verifies, SharedSecret)
    verifies = key.verifies
    for profile in (ACCESS_TOKEN, ID_TOKEN, CLIENT_ASSERTION, STATUS_LIST):
        with pytest.raises(InvalidToken):
            verify_signature(signed(), profile, lambda _: verifies)
        with pytest.raises(InvalidToken):
            verify_with_any_key(forged(), profile, [verifies])


def test_message_sent_back_to_its_sender_is_refused() -> None:
    message = signed("HS256")  # both parties hold the secret
    assert reason_of(message, SECRET, issuer=BILLING, audience=SHOP) == "wrong_issuer"
    assert reason_of(message, SECRET, issuer=SHOP, audience=SHOP) == "wrong_audience"


# What is not signed


@pytest.mark.parametrize(
    "changes",
    [
        {"lifetime": 0},
        {"lifetime": -1},
        {"lifetime": MAX_LIFETIME + 1},
        {"lifetime": True},
        {"issuer": ""},
        {"audience": ""},
        {"audience": "a\nb"},
        {"audience": [BILLING]},
        {"payload": {"x": float("nan")}},
        {"payload": {"x": "\ud800"}},
        {"payload": {"x": b"bytes"}},
        {"payload": {"x": {1}}},
        {"payload": {1: "a", "1": "b"}},
        {"payload": {(1, 2): "a"}},
        {"payload": {"x": json.loads("[" * 15 + "]" * 15)}},
        {"payload": {"x": json.loads("[" * 500 + "]" * 500)}},
    ],
    ids=lambda changes: ascii(changes)[:60],
)
def test_message_that_could_not_be_read_is_not_signed(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
        signed("ES256", **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"issuer": ""}, "issuer is a text of 1 to 1024 characters"),
        ({"issuer": None}, "issuer is a text"),
        ({"issuer": "\ud800"}, "issuer is a text"),
        ({"audience": [BILLING]}, "audience is a text"),
        ({"payload": [1]}, "the payload is a mapping"),
        ({"payload": {"x": "\ud800"}}, "half of a surrogate pair"),
        ({"key": PARTIES["ES256"].verifies}, "the key is a SigningKey or SharedSecret"),
        ({"key": "key.pem"}, "the key is a SigningKey or SharedSecret"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_unusable_argument_is_named_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    arguments: dict[str, Any] = {"payload": {}, "key": SECRET, "issuer": SHOP, "audience": BILLING} | changes
    with pytest.raises((TypeError, ValueError)) as refused:
        sign(**arguments, lifetime=60)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_fourteen_levels_below_the_payload_are_signed_and_read() -> None:
    payload: dict[str, object] = {"x": json.loads("[" * 14 + "]" * 14)}
    assert received(signed(payload=payload)).payload == payload


def test_rsa_key_for_another_algorithm_does_not_sign() -> None:
    rs256 = PARTIES["RS256"].key
    assert isinstance(rs256, SigningKey)
    with pytest.raises(ValueError, match="PS256"):
        sign({}, replace(rs256, alg="PS256"), issuer=SHOP, audience=BILLING, lifetime=60)


@pytest.mark.parametrize("keys", [b"x" * 32, "secret", PARTIES["ES256"].key, [PARTIES["RS256"].key], [b"x"], None])
def test_other_objects_are_no_keys(keys: Any) -> None:
    with pytest.raises(TypeError, match="PublicKey or SharedSecret"):
        received(signed(), keys)


def test_example_of_the_documentation_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    private_key = ec.generate_private_key(ec.SECP256R1())
    encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    Path("shop.key").write_bytes(private_key.private_bytes(encoding, pkcs8, serialization.NoEncryption()))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    Path("shop.pub").write_bytes(private_key.public_key().public_bytes(encoding, spki))
    document = (Path(__file__).parents[2] / "docs" / "messages.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    try:
        for block in (blocks[0], blocks[1], blocks[1], blocks[2]):  # the receiver gets the first message twice
            exec(block, names)
    finally:
        for database in {each for each in names.values() if isinstance(each, sqlite3.Connection)}:
            database.close()
    assert capsys.readouterr().out.splitlines() == ["order.paid 7", "refused: replayed", "ping"]
