"""The rules for client assertions (RFC 7523 §3, OIDC Core §9): a good assertion from another library, and one fault."""

import pytest
from joserfc.jwk import Key

from auth_service.authentication.clients.client_assertion import (
    AssertionRefused,
    ClientAssertion,
    ClientAssertionClaims,
    check_claims,
)
from auth_service.authentication.clients.key_cache import select_usable_keys
from tallystick.errors import InvalidToken
from tests.support.asserting_client import AssertingClient, jwk_of, new_key
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER
from tests.support.token_issuer import ABSENT

NOW = 1_800_000_000
TOKEN_ENDPOINT = f"{ISSUER}/token"


@pytest.fixture
def signer() -> AssertingClient:
    return AssertingClient("signer", MovableClock(NOW))


def check(text: str, *keys: Key) -> ClientAssertionClaims:
    """All rules in the order in which the service applies them. Raises AssertionRefused or InvalidToken."""
    assertion = ClientAssertion.parse(text, None)
    payload = assertion.verify_signature(select_usable_keys({"keys": [jwk_of(key) for key in keys]}))
    return check_claims(payload, assertion.client_id, audiences={ISSUER, TOKEN_ENDPOINT}, now=NOW)


# Signature and keys


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
@pytest.mark.parametrize("kid", ["k1", None])
def test_each_algorithm_is_verified_with_and_without_a_kid(alg: str, kid: str | None) -> None:
    key = new_key(alg, kid)
    signer = AssertingClient("signer", MovableClock(NOW), key, alg)
    assert check(signer.assertion(), key).sub == "signer"
    with pytest.raises(InvalidToken):
        check(signer.assertion(), new_key(alg, kid))


def test_rsa_key_with_an_alg_verifies_no_other_alg() -> None:
    key = new_key("PS256", alg="PS256")
    signer = AssertingClient("signer", MovableClock(NOW), key, "PS256")
    check(signer.assertion(), key)
    signer.alg = "RS256"
    signer.key = type(key).import_key({**key.as_dict(private=True), "alg": "RS256"})
    with pytest.raises(InvalidToken):
        check(signer.assertion(), key)


def test_at_most_five_matching_keys_are_tried_for_an_assertion_without_a_kid(signer: AssertingClient) -> None:
    keys = [new_key("ES256", None) for _ in range(6)]
    published = [new_key("RS256", None), *keys]
    for key in (keys[0], keys[4]):
        signer.key = key
        check(signer.assertion(), *published)
    signer.key = keys[5]
    with pytest.raises(InvalidToken):
        check(signer.assertion(), *published)


def test_key_for_encryption_verifies_no_signature() -> None:
    key, other = new_key("RS256", use="enc"), new_key("ES256", "k2")
    signer = AssertingClient("signer", MovableClock(NOW), key, "RS256")
    signer.key = type(key).import_key({name: v for name, v in key.as_dict(private=True).items() if name != "use"})
    with pytest.raises(InvalidToken):
        check(signer.assertion(), key, other)
    signer.key, signer.alg = other, "ES256"
    check(signer.assertion(), key, other)


# Header and form


def test_typ_of_the_revised_rfc_7523_is_accepted(signer: AssertingClient) -> None:
    check(signer.assertion({"typ": "client-authentication+jwt"}), signer.key)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"kid": "unknown"},
        {"kid": ""},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "EC"}},
        {"x5u": "https://evil.example/cert"},
    ],
    ids=str,
)
def test_one_fault_in_the_header_is_refused(signer: AssertingClient, header: dict[str, object]) -> None:
    with pytest.raises((AssertionRefused, InvalidToken)):
        check(signer.assertion(header), signer.key)


def test_text_that_is_no_jwt_is_refused(signer: AssertingClient) -> None:
    good = signer.assertion()
    head, payload, signature = good.split(".")
    for text in (
        "x",
        "..",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload}.{signature}.{signature}",
        f"{good} ",
        good + "é",
        "a" * 9000,
        signer.sign('{"iss": "signer", "iss": "signer"}'),
        signer.sign("[]"),
        signer.sign("{" * 3000),
    ):
        with pytest.raises((AssertionRefused, InvalidToken)):
            check(text, signer.key)


def test_client_id_parameter_must_equal_the_issuer(signer: AssertingClient) -> None:
    assert ClientAssertion.parse(signer.assertion(), "signer").client_id == "signer"
    with pytest.raises(AssertionRefused, match="assertion_subject"):
        ClientAssertion.parse(signer.assertion(), "bot")


# Claims


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": TOKEN_ENDPOINT},
        {"aud": [ISSUER]},
        {"aud": [TOKEN_ENDPOINT]},
        {"aud": [TOKEN_ENDPOINT, ISSUER]},
        {"iat": ABSENT},
        {"iat": NOW + 60, "nbf": NOW + 60},
        {"exp": NOW - 60},
        {"exp": NOW + 3600},
        {"exp": NOW + 60.5},
        {"jti": "j" * 256},
        {"jti": "é\u0000"},
        {"unknown": {"claims": ["are", "ignored"]}},
    ],
    ids=str,
)
def test_permitted_claims_are_accepted(signer: AssertingClient, claims: dict[str, object]) -> None:
    assert check(signer.assertion(**claims), signer.key).iss == "signer"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": ABSENT}, "assertion_subject"),
        ({"iss": "bot"}, "assertion_subject"),
        ({"iss": ["signer"]}, "assertion_subject"),
        ({"iss": None}, "assertion_subject"),
        ({"iss": ""}, "assertion_subject"),
        ({"iss": "signer\u0000"}, "assertion_subject"),
        ({"iss": "s" * 1000}, "assertion_subject"),
        ({"sub": ABSENT}, "assertion_malformed"),
        ({"sub": "bot"}, "assertion_subject"),
        ({"sub": ["signer"]}, "assertion_malformed"),
        ({"sub": "Signer"}, "assertion_subject"),
        ({"aud": ABSENT}, "assertion_malformed"),
        ({"aud": ""}, "assertion_audience"),
        ({"aud": []}, "assertion_audience"),
        ({"aud": None}, "assertion_malformed"),
        ({"aud": "https://other.example.com"}, "assertion_audience"),
        ({"aud": f"{ISSUER}/"}, "assertion_audience"),
        ({"aud": f"{ISSUER}/authorize"}, "assertion_audience"),
        ({"aud": f"{ISSUER}/revoke"}, "assertion_audience"),
        ({"aud": [ISSUER, "https://other.example.com"]}, "assertion_audience"),
        ({"aud": ["https://other.example.com"]}, "assertion_audience"),
        ({"aud": [ISSUER, 5]}, "assertion_malformed"),
        ({"aud": {"a": ISSUER}}, "assertion_malformed"),
        ({"exp": ABSENT}, "assertion_malformed"),
        ({"exp": None}, "assertion_malformed"),
        ({"exp": "1800000060"}, "assertion_malformed"),
        ({"exp": True}, "assertion_malformed"),
        ({"exp": NOW - 61}, "assertion_expired"),
        ({"exp": NOW + 3661}, "assertion_lifetime"),
        ({"exp": 10**400}, "assertion_lifetime"),
        ({"exp": 1e300}, "assertion_lifetime"),
        ({"exp": -1}, "assertion_expired"),
        ({"iat": NOW + 61}, "assertion_not_yet_valid"),
        ({"iat": "1800000000"}, "assertion_malformed"),
        ({"nbf": NOW + 61}, "assertion_not_yet_valid"),
        ({"nbf": [1]}, "assertion_malformed"),
        ({"jti": ABSENT}, "assertion_malformed"),
        ({"jti": ""}, "assertion_malformed"),
        ({"jti": None}, "assertion_malformed"),
        ({"jti": 5}, "assertion_malformed"),
        ({"jti": "j" * 257}, "assertion_malformed"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_one_fault_in_the_claims_is_refused(signer: AssertingClient, claims: dict[str, object], reason: str) -> None:
    with pytest.raises(AssertionRefused, match=f"^{reason}$"):
        check(signer.assertion(**claims), signer.key)
