"""Authorization in, WWW-Authenticate out: RFC 6750, RFC 9470, RFC 9728 §5.1."""

import pytest

from tallystick.access_token_request import bearer_token, challenge, require_authentication, require_scopes
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
def test_the_token_follows_the_scheme(value: str) -> None:
    assert bearer_token([value]) == "abc"


@pytest.mark.parametrize("headers", [[], [""], ["Basic abc"], ["abc"], ["Bearerabc"], ["Bearer\tabc"], ["DPoP abc"]])
def test_another_scheme_is_no_token(headers: list[str]) -> None:
    with pytest.raises(MissingToken):
        bearer_token(headers)


@pytest.mark.parametrize("value", ["Bearer", "Bearer "])
def test_a_scheme_alone_is_no_good_token(value: str) -> None:
    with pytest.raises(InvalidToken):
        bearer_token([value])


@pytest.mark.parametrize("headers", [["Bearer abc", "Bearer abc"], ["Bearer abc", "Basic abc"], ["", ""]])
def test_more_than_one_header_is_refused(headers: list[str]) -> None:
    with pytest.raises(InvalidBearerRequest):
        bearer_token(headers)


NOW = 1_800_000_000


def claims(scope: str = "", *, auth_time: int | None = None, acr: str | None = None) -> AccessTokenClaims:
    return AccessTokenClaims(
        iss="i", sub="s", aud="a", client_id="c", jti="j", iat=0, exp=1, scope=scope, auth_time=auth_time, acr=acr
    )


@pytest.mark.parametrize("scope", ["a b", "b a", "a b c", "b  a"])
def test_a_token_with_every_scope_is_enough(scope: str) -> None:
    require_scopes(claims(scope), ["a", "b"])


@pytest.mark.parametrize("scope", ["", "a", "A b", "ab", "a,b"])
def test_a_token_without_one_of_the_scopes_is_told_what_is_needed(scope: str) -> None:
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
def test_a_challenge_says_what_was_wrong_and_where_tokens_are_issued(refusal: BearerError, parameters: str) -> None:
    assert challenge(refusal, METADATA) == f'Bearer {parameters}resource_metadata="{METADATA}"'


def test_a_challenge_names_the_scope_that_would_have_been_enough() -> None:
    assert challenge(InsufficientScope("more", scope="a b"), METADATA).endswith(', scope="a b"')


@pytest.mark.parametrize("age", [0, 299, 300, -60])
def test_a_login_within_max_age_is_fresh_and_clocks_may_differ(age: int) -> None:
    require_authentication(claims(auth_time=NOW - age), max_age=300, now=NOW)


@pytest.mark.parametrize("age", [301, 10**9, -61, -(10**18), None])
def test_a_login_too_long_ago_or_to_come_or_never_is_not_fresh(age: int | None) -> None:
    token = claims(auth_time=None if age is None else NOW - age)
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(token, max_age=300, now=NOW)
    assert (refused.value.max_age, refused.value.acr_values, refused.value.status) == (300, "", 401)


@pytest.mark.parametrize("acr", ["two", "three"])
def test_a_login_in_any_of_the_ways_is_strong_enough(acr: str) -> None:
    require_authentication(claims(acr=acr), acr_values=["two", "three"], now=NOW)


@pytest.mark.parametrize("acr", [None, "", "one", "TWO", "two three", "tw"])
def test_a_login_in_another_way_is_not_strong_enough(acr: str | None) -> None:
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(claims(acr=acr), acr_values=["two", "three"], now=NOW)
    assert refused.value.acr_values == "two three"


@pytest.mark.parametrize(("auth_time", "acr"), [(NOW - 301, "two"), (NOW, "one"), (NOW - 301, "one")])
def test_fresh_and_strong_are_asked_for_together(auth_time: int, acr: str) -> None:
    with pytest.raises(InsufficientUserAuthentication) as refused:
        require_authentication(claims(auth_time=auth_time, acr=acr), max_age=300, acr_values=["two"], now=NOW)
    assert (refused.value.max_age, refused.value.acr_values) == (300, "two")


def test_who_asks_for_nothing_gets_any_login_and_none() -> None:
    require_authentication(claims(), now=NOW)


@pytest.mark.parametrize(
    ("max_age", "acr_values", "parameters"),
    [(300, "", ', max_age="300"'), (None, "a b", ', acr_values="a b"'), (0, "a", ', max_age="0", acr_values="a"')],
)
def test_a_challenge_names_the_login_that_would_have_been_enough(
    max_age: int | None, acr_values: str, parameters: str
) -> None:
    refusal = InsufficientUserAuthentication("log in", max_age=max_age, acr_values=acr_values)
    assert challenge(refusal, METADATA) == (
        'Bearer error="insufficient_user_authentication", error_description="log in", '
        f'resource_metadata="{METADATA}"{parameters}'
    )
