"""Authorization in, WWW-Authenticate out: RFC 6750, RFC 9728 §5.1."""

import pytest

from tallystick.bearer import bearer_token, challenge, require_scopes
from tallystick.claims import AccessTokenClaims
from tallystick.errors import BearerError, InsufficientScope, InvalidBearerRequest, InvalidToken, MissingToken

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


def claims(scope: str) -> AccessTokenClaims:
    return AccessTokenClaims(iss="i", sub="s", aud="a", client_id="c", jti="j", iat=0, exp=1, scope=scope)


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
