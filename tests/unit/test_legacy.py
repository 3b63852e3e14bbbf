"""Tokens of an old issuer are accepted within narrow bounds, and never mixed with ours."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tallystick.claims import AccessTokenClaims
from tallystick.errors import InvalidToken
from tallystick.jwk import SharedSecret, parse_jwk_set, public_jwk
from tallystick.jwt import ACCESS_TOKEN, CLIENT_ASSERTION, ID_TOKEN, STATUS_LIST, Profile, UnknownKey, verify_signature
from tallystick.legacy import LegacyClaims, LegacyIssuer, LegacyIssuers
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

NOW = 1_800_000_000  # 2027-01-15
SECRET = "django-insecure-" + "s" * 40
END = date(2027, 6, 30)
LAST = int(datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp())
OLD = "https://old.example.com"

SIMPLE_JWT = {"token_type": "access", "exp": NOW + 300, "iat": NOW, "jti": "1" * 32, "user_id": "17"}


def hs256(claims: dict[str, Any], *, secret: str = SECRET, headers: dict[str, Any] | None = None) -> str:
    return jwt.encode(claims, secret, algorithm="HS256", headers=headers)


def simple_jwt(**options: Any) -> LegacyIssuer:
    """The defaults of SimpleJWT."""
    defaults: dict[str, Any] = {
        "issuer": None,
        "audience": None,
        "algorithm": "HS256",
        "secret": SECRET,
        "accept_until": END,
    }
    return LegacyIssuer(**defaults | options)


@dataclass
class Asymmetric:
    """An old issuer with RS256, its public key in PEM and as a JWK Set."""

    key: RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def jwks(self) -> dict[str, object]:
        return {"keys": [public_jwk(self.key.public_key(), kid="old-1", alg="RS256")]}

    def token(self, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {"iss": OLD, "aud": "old-api", "sub": "grace", "exp": NOW + 300} | changes
        return jwt.PyJWS().encode(json.dumps(claims).encode(), self.key, algorithm="RS256", headers=headers)

    def legacy(self, **options: Any) -> LegacyIssuer:
        defaults: dict[str, Any] = {
            "issuer": OLD,
            "audience": "old-api",
            "algorithm": "RS256",
            "accept_until": END,
            "user_claim": "sub",
            "token_type": None,
        }
        return LegacyIssuer(**defaults | options)


@pytest.fixture(scope="module")
def old() -> Asymmetric:
    return Asymmetric(generate_rsa_key(65537, 2048))


def reason(check: Callable[[], object]) -> str:
    with pytest.raises(InvalidToken) as refused:
        check()
    assert not isinstance(refused.value, UnknownKey)
    return refused.value.reason


def test_simplejwt_token_gives_legacy_claims_with_the_scopes_of_the_api() -> None:
    claims = simple_jwt(scopes=["notes:read"]).check(hs256(SIMPLE_JWT), NOW)
    assert claims == LegacyClaims(None, "17", frozenset({"notes:read"}), NOW + 300, SIMPLE_JWT)
    assert not isinstance(claims, AccessTokenClaims)
    assert (claims.acr, claims.auth_time) == (None, None)


def test_numeric_user_of_older_versions_is_text() -> None:
    assert simple_jwt().check(hs256(SIMPLE_JWT | {"user_id": 17}), NOW).sub == "17"


def test_scopes_may_be_a_function_of_the_verified_claims() -> None:
    legacy = simple_jwt(scopes=lambda claims: ["admin"] if claims["is_staff"] else [])
    assert legacy.check(hs256(SIMPLE_JWT | {"is_staff": True}), NOW).scopes == {"admin"}
    assert reason(lambda: legacy.check(hs256(SIMPLE_JWT), NOW)) == "bad_claims"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token_type": "refresh"}, "bad_claims"),
        ({"token_type": None}, "bad_claims"),
        ({"iss": OLD}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"aud": "another"}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": "soon"}, "bad_claims"),
        ({"exp": True}, "bad_claims"),
        ({"exp": None}, "bad_claims"),
        ({"iat": NOW + 61}, "not_yet_valid"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"nbf": []}, "bad_claims"),
        ({"user_id": None}, "bad_claims"),
        ({"user_id": True}, "bad_claims"),
        ({"user_id": ["17"]}, "bad_claims"),
        ({"user_id": ""}, "bad_claims"),
        ({"user_id": "17\x00"}, "bad_claims"),
        ({"user_id": "1" * 1025}, "bad_claims"),
    ],
)
def test_token_with_one_wrong_claim_is_refused(changes: dict[str, Any], expected: str) -> None:
    # PyJWT refuses to encode some of these claims.
    token = jwt.PyJWS().encode(json.dumps(SIMPLE_JWT | changes).encode(), SECRET, algorithm="HS256")
    assert reason(lambda: simple_jwt().check(token, NOW)) == expected


def test_token_without_exp_is_refused() -> None:
    token = hs256({name: value for name, value in SIMPLE_JWT.items() if name != "exp"})
    assert reason(lambda: simple_jwt().check(token, NOW)) == "bad_claims"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "a.b",
        hs256(SIMPLE_JWT)[:-2],
        hs256(SIMPLE_JWT, secret="another secret of thirty-two bytes or more"),
        hs256(SIMPLE_JWT) + "\ud800",
        hs256(SIMPLE_JWT, headers={"crit": ["exp"]}),
        hs256(SIMPLE_JWT, headers={"typ": "at+jwt"}),
        hs256(SIMPLE_JWT, headers={"typ": "refresh+jwt"}),
        jwt.encode(SIMPLE_JWT, "", algorithm="none"),
        jwt.encode(SIMPLE_JWT, SECRET * 2, algorithm="HS512"),
    ],
)
def test_forged_or_malformed_token_is_refused(token: str) -> None:
    assert reason(lambda: simple_jwt().check(token, NOW)) in ("malformed", "bad_signature")


def test_public_key_is_no_secret_for_hs256(old: Asymmetric) -> None:
    """RFC 8725 §2.1: an attacker knows the public key, and signs with HS256."""
    legacy = old.legacy(key=old.pem)
    claims = {"iss": OLD, "aud": "old-api", "sub": "grace", "exp": NOW + 300}
    # PyJWT refuses to sign with a PEM document.
    forged = jwt.PyJWS(algorithms=["HS256"])
    forged.unregister_algorithm("HS256")
    forged.register_algorithm("HS256", _AnyKey(jwt.algorithms.HMACAlgorithm.SHA256))
    token = forged.encode(json.dumps(claims).encode(), old.pem, algorithm="HS256")
    assert reason(lambda: legacy.check(token, NOW)) == "malformed"
    with pytest.raises(ValueError, match="PEM"):
        simple_jwt(secret=old.pem)


class _AnyKey(jwt.algorithms.HMACAlgorithm):
    def prepare_key(self, key: Any) -> Any:
        return key


def test_rs256_is_verified_by_pem_and_by_jwks(old: Asymmetric) -> None:
    assert old.legacy(key=old.pem).check(old.token(), NOW).sub == "grace"
    for jwks in (old.jwks, json.dumps(old.jwks), json.dumps(old.jwks).encode()):
        legacy = old.legacy(jwks=jwks)
        assert legacy.check(old.token(), NOW).issuer == OLD  # one key, and a token without kid
        assert legacy.check(old.token(headers={"kid": "old-1"}), NOW).sub == "grace"
        assert reason(partial(legacy.check, old.token(headers={"kid": "2"}), NOW)) == "unknown_key"


@pytest.mark.parametrize("aud", ["old-api", ["x", "old-api"]])
def test_audience_is_one_of_the_tokens_audiences(old: Asymmetric, aud: object) -> None:
    assert old.legacy(key=old.pem).check(old.token(aud=aud), NOW)
    assert reason(lambda: old.legacy(key=old.pem, audience="api").check(old.token(aud=aud), NOW)) == "wrong_audience"


@pytest.mark.parametrize("issuer", ["https://other.example.com", OLD + "/", None])
def test_token_of_another_issuer_is_refused(old: Asymmetric, issuer: str | None) -> None:
    assert reason(lambda: old.legacy(key=old.pem, issuer=issuer).check(old.token(), NOW)) == "wrong_issuer"


def test_nothing_is_accepted_after_the_end_date() -> None:
    legacy = simple_jwt()
    assert legacy.check(hs256(SIMPLE_JWT | {"exp": LAST + 900}), LAST)
    assert reason(lambda: legacy.check(hs256(SIMPLE_JWT | {"exp": LAST + 900}), LAST + 1)) == "legacy_ended"
    at_noon = simple_jwt(accept_until=datetime(2027, 6, 30, 12, tzinfo=UTC))
    assert at_noon.accept_until == LAST - 12 * 3600 + 1


def test_options_that_do_not_fit_are_refused(old: Asymmetric) -> None:
    p384 = generate_private_key(SECP256R1()).public_key()
    ec_pem = p384.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = old.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    unusable: list[dict[str, Any]] = [
        {"secret": "short"},
        {"secret": None},
        {"key": old.pem},
        {"algorithm": "HS512"},
        {"algorithm": "none", "secret": None},
        {"algorithm": "RS256"},
        {"algorithm": "RS256", "secret": None, "key": ec_pem},
        {"algorithm": "RS256", "secret": None, "key": private},
        {"algorithm": "RS256", "secret": None, "key": b"junk"},
        {"algorithm": "ES256", "secret": None, "jwks": old.jwks},
        {"algorithm": "RS256", "secret": None, "jwks": {}},
        {"algorithm": "RS256", "secret": None, "jwks": "junk"},
        {"accept_until": datetime(2027, 1, 1)},
        {"issuer": ""},
        {"audience": ""},
        {"token_type": ""},
        {"scopes": "notes:read"},
    ]
    for options in unusable:
        with pytest.raises(ValueError, match=r".") as refused:
            simple_jwt(**options)
        assert SECRET not in str(refused.value)
    with pytest.raises(TypeError):
        LegacyIssuer(algorithm="HS256", secret=SECRET, accept_until=END)  # type: ignore[call-arg]


def test_end_date_as_text_is_refused_with_a_sentence() -> None:
    with pytest.raises(TypeError, match="accept_until is a date or datetime object"):
        simple_jwt(accept_until="2027-06-30")


def test_secret_does_not_show_in_a_traceback() -> None:
    assert SECRET not in repr(SharedSecret(SECRET.encode())) + repr(simple_jwt())


def test_issuers_are_chosen_by_typ_alg_and_iss(old: Asymmetric, issuer: TokenIssuer) -> None:
    simple, other = simple_jwt(), old.legacy(key=old.pem)
    legacy = LegacyIssuers([simple, other], issuer=ISSUER)
    assert legacy.issuer_of(hs256(SIMPLE_JWT)) is simple
    assert legacy.issuer_of(old.token()) is other
    assert legacy.issuer_of(issuer.access_token()) is None
    for token in (
        hs256(SIMPLE_JWT | {"iss": ISSUER}),
        hs256(SIMPLE_JWT | {"iss": "https://another.example.com"}),
        hs256(SIMPLE_JWT | {"iss": OLD}),  # that issuer signs with RS256
        hs256(SIMPLE_JWT, headers={"typ": "at+jwt"}),
        old.token(iss=ISSUER),
        old.token(iss=None),
        old.token(headers={"typ": "application/AT+JWT"}),
        "junk",
        "",
    ):
        assert legacy.issuer_of(token) is None


def test_identifiers_of_issuers_are_unique(old: Asymmetric) -> None:
    with pytest.raises(ValueError, match="itself"):
        LegacyIssuers([old.legacy(key=old.pem, issuer=ISSUER)], issuer=ISSUER)
    with pytest.raises(ValueError, match="two"):
        LegacyIssuers([simple_jwt(), simple_jwt(audience="x")], issuer=ISSUER)


def test_tokens_of_ours_are_refused_by_an_old_issuer_that_holds_our_key(issuer: TokenIssuer) -> None:
    """Also with our own key and identifiers, the profile keeps the kinds apart."""
    legacy = LegacyIssuer(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithm="ES256",
        jwks=issuer.document,
        accept_until=date(2100, 1, 1),
        user_claim="sub",
        token_type=None,
    )
    assert reason(lambda: legacy.check(issuer.access_token(), issuer.clock.now)) == "malformed"


@pytest.mark.parametrize("profile", [ACCESS_TOKEN, ID_TOKEN, CLIENT_ASSERTION, STATUS_LIST])
def test_no_other_kind_of_token_is_accepted_with_a_shared_secret(profile: Profile) -> None:
    """Even where a caller would return a secret as the key."""
    token = hs256(SIMPLE_JWT, headers={"typ": min(profile.typ), "kid": "1"})
    assert reason(lambda: verify_signature(token, profile, lambda _: SharedSecret(SECRET.encode()))) == "malformed"


def test_secret_in_a_jwk_set_is_no_key() -> None:
    assert parse_jwk_set(b'{"keys": [{"kty": "oct", "kid": "1", "k": "' + b"c" * 44 + b'"}]}') == {}
