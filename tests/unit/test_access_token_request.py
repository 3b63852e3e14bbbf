"""The Authorization header, the checks after verification, and the challenge: RFC 6750, RFC 9470, RFC 9728 §5.1."""

import pytest

from tallystick.access_token_request import (
    AccessTokenRequest,
    Requirement,
    bearer_token,
    challenge,
    require_authentication,
    require_scopes,
)
from tallystick.claims import AccessTokenClaims
from tallystick.errors import (
    BearerError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidBearerRequest,
    InvalidToken,
    MissingToken,
)

METADATA = "https://api.example.com/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc", "Bearer abc "])
def test_token_follows_the_scheme_in_any_case(value: str) -> None:
    assert bearer_token([value]) == "abc"


@pytest.mark.parametrize("headers", [[], [""], ["Basic abc"], ["abc"], ["Bearerabc"], ["Bearer\tabc"], ["DPoP abc"]])
def test_header_with_another_scheme_counts_as_no_token(headers: list[str]) -> None:
    with pytest.raises(MissingToken):
        bearer_token(headers)


@pytest.mark.parametrize("value", ["Bearer", "Bearer "])
def test_scheme_without_a_token_is_invalid_token(value: str) -> None:
    with pytest.raises(InvalidToken):
        bearer_token([value])


@pytest.mark.parametrize("headers", [["Bearer abc", "Bearer abc"], ["Bearer abc", "Basic abc"], ["", ""]])
def test_several_authorization_headers_are_refused(headers: list[str]) -> None:
    with pytest.raises(InvalidBearerRequest):
        bearer_token(headers)


@pytest.mark.parametrize("joined", ["Bearer abc,Bearer abc", "Bearer abc, Basic abc"])
def test_headers_that_a_server_joined_are_refused(joined: str) -> None:
    with pytest.raises(InvalidBearerRequest):
        AccessTokenRequest("GET", str, [joined]).access_token()


NOW = 1_800_000_000


def claims(scope: str = "", *, auth_time: int | None = None, acr: str | None = None) -> AccessTokenClaims:
    return AccessTokenClaims(
        iss="i", sub="s", aud="a", client_id="c", jti="j", iat=0, exp=1, scope=scope, auth_time=auth_time, acr=acr
    )


@pytest.mark.parametrize("scope", ["a b", "b a", "a b c", "b  a"])
def test_token_with_every_required_scope_is_accepted(scope: str) -> None:
    require_scopes(claims(scope), ["a", "b"])


@pytest.mark.parametrize("scope", ["", "a", "A b", "ab", "a,b"])
def test_insufficient_scope_names_all_required_scopes(scope: str) -> None:
    with pytest.raises(InsufficientScope) as refused:
        require_scopes(claims(scope), ["a", "b"])
    assert refused.value.scope == "a b"


@pytest.mark.parametrize(
    ("refusal", "parameters"),
    [
        (MissingToken("a token is required"), ""),
        (InvalidToken("expired"), 'error="invalid_token", error_description="expired", '),
        (InvalidBearerRequest("two"), 'error="invalid_request", error_description="two", '),
    ],
)
def test_challenge_has_the_error_and_the_resource_metadata(refusal: BearerError, parameters: str) -> None:
    assert challenge(refusal, METADATA) == f'Bearer {parameters}resource_metadata="{METADATA}"'


def test_challenge_names_the_required_scope() -> None:
    assert challenge(InsufficientScope("more", scope="a b"), METADATA).endswith(', scope="a b"')


@pytest.mark.parametrize("age", [0, 299, 300, -60])
def test_login_within_max_age_is_accepted_with_leeway_for_clocks(age: int) -> None:
    require_authentication(claims(auth_time=NOW - age), max_age=300, now=NOW)


@pytest.mark.parametrize("age", [301, 10**9, -61, -(10**18), None])
def test_login_that_is_too_old_or_in_the_future_or_absent_is_refused(age: int | None) -> None:
    token = claims(auth_time=None if age is None else NOW - age)
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(token, max_age=300, now=NOW)
    assert (refused.value.max_age, refused.value.acr_values, refused.value.status) == (300, "", 401)


@pytest.mark.parametrize("acr", ["two", "three"])
def test_login_with_any_required_acr_is_accepted(acr: str) -> None:
    require_authentication(claims(acr=acr), acr_values=["two", "three"], now=NOW)


@pytest.mark.parametrize("acr", [None, "", "one", "TWO", "two three", "tw"])
def test_login_with_another_acr_is_refused(acr: str | None) -> None:
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(claims(acr=acr), acr_values=["two", "three"], now=NOW)
    assert refused.value.acr_values == "two three"


@pytest.mark.parametrize(("auth_time", "acr"), [(NOW - 301, "two"), (NOW, "one"), (NOW - 301, "one")])
def test_refusal_names_max_age_and_acr_values_together(auth_time: int, acr: str) -> None:
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(claims(auth_time=auth_time, acr=acr), max_age=300, acr_values=["two"], now=NOW)
    assert (refused.value.max_age, refused.value.acr_values) == (300, "two")


def test_without_max_age_and_acr_values_no_login_is_required() -> None:
    require_authentication(claims(), now=NOW)


@pytest.mark.parametrize(
    ("max_age", "acr_values", "parameters"),
    [(300, "", ', max_age="300"'), (None, "a b", ', acr_values="a b"'), (0, "a", ', max_age="0", acr_values="a"')],
)
def test_challenge_names_the_required_login(max_age: int | None, acr_values: str, parameters: str) -> None:
    refusal = InsufficientUserAuthentication("log in", max_age=max_age, acr_values=acr_values)
    assert challenge(refusal, METADATA) == (
        'Bearer error="insufficient_user_authentication", error_description="log in", '
        f'resource_metadata="{METADATA}"{parameters}'
    )


def test_decorator_without_parentheses_is_refused() -> None:
    with pytest.raises(TypeError, match="with parentheses"):
        Requirement((claims,))  # type: ignore[arg-type]
