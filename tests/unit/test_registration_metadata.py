"""The rules for the metadata in a registration request (RFC 7591 §2, OIDC Registration §2), without an app."""

import json
from typing import Any

import pytest

from auth_service.registration.request import MAX_BYTES, RegisteredMetadata, parse_registration, validate_metadata
from tallystick.errors import InvalidClientMetadata, InvalidRedirectURI, OAuthError
from tests.support.registration import CALLBACK, GOOD

SCOPES = frozenset({"notes:read", "notes:write", "calendar:read"})


def registered(*, private_use_schemes: tuple[str, ...] = (), **changes: Any) -> RegisteredMetadata:
    """The metadata from a valid request with `changes`."""
    request = parse_registration(json.dumps(GOOD | changes).encode())
    return validate_metadata(request, require_pkce=True, known_scopes=SCOPES, private_use_schemes=private_use_schemes)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uris": ["http://new.example.org/callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://new.example.org/callback#x"]}, InvalidRedirectURI),
        ({"redirect_uris": ["javascript:alert(1)"]}, InvalidRedirectURI),
        ({"redirect_uris": ["data:text/html,x"]}, InvalidRedirectURI),
        ({"redirect_uris": ["com.example.app:/callback"], "application_type": "web"}, InvalidRedirectURI),
        ({"redirect_uris": ["cursor://callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["com.example.app://[callback"]}, InvalidRedirectURI),
        (
            {"post_logout_redirect_uris": ["com.example.app://[x"], "application_type": "native"},
            InvalidClientMetadata,
        ),
        ({"redirect_uris": ["https://*.new.example.org/callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://id.example.com:443/login"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://id.example.com:0443/login"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://id.example.com:/login"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://%69d.example.com/login"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://id%2eexample.com/login"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://id.example.com./login"]}, InvalidRedirectURI),
        ({"post_logout_redirect_uris": ["https://New.example.org/"]}, InvalidClientMetadata),
        ({"initiate_login_uri": "https://new.example.org:443/login"}, InvalidClientMetadata),
        ({"logo_uri": "https://new.example.org/a/../logo.png"}, InvalidClientMetadata),
        ({"redirect_uris": ["https://user@new.example.org/callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://new.example.org/ callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://new.example.org:new.example.org/"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://[new.example.org/"]}, InvalidRedirectURI),
        ({"client_name": "\u202eevil"}, InvalidClientMetadata),
        ({"client_name": "\u200b "}, InvalidClientMetadata),
        ({"client_name": "\u3164"}, InvalidClientMetadata),
        ({"client_name": "a\x9bb"}, InvalidClientMetadata),
        ({"client_name": "a" + "\u0301" * 199}, InvalidClientMetadata),
        ({"client_name": "x" * 61}, InvalidClientMetadata),
        ({"redirect_uris": ["/callback"]}, InvalidRedirectURI),
        ({"redirect_uris": ["https://new.example.org/" + "a" * 2000]}, InvalidClientMetadata),
        ({"redirect_uris": [CALLBACK] * 21}, InvalidClientMetadata),
        ({"redirect_uris": CALLBACK}, InvalidClientMetadata),
        ({"redirect_uris": [5]}, InvalidClientMetadata),
        ({"redirect_uris": []}, InvalidClientMetadata),
        ({"post_logout_redirect_uris": ["http://new.example.org/"]}, InvalidClientMetadata),
        ({"client_name": "two\nlines"}, InvalidClientMetadata),
        ({"client_name": 5}, InvalidClientMetadata),
        ({"client_uri": "http://new.example.org"}, InvalidClientMetadata),
        ({"client_uri": "javascript:alert(1)"}, InvalidClientMetadata),
        ({"policy_uri": "https://"}, InvalidClientMetadata),
        ({"logo_uri": "http://127.0.0.1/logo.png"}, InvalidClientMetadata),
        ({"jwks_uri": "http://localhost/jwks"}, InvalidClientMetadata),
        ({"backchannel_logout_uri": "http://127.0.0.1/logout"}, InvalidClientMetadata),
        ({"initiate_login_uri": "http://new.example.org/login"}, InvalidClientMetadata),
        ({"response_types": ["token"]}, InvalidClientMetadata),
        ({"response_types": []}, InvalidClientMetadata),
        ({"grant_types": ["implicit"]}, InvalidClientMetadata),
        ({"grant_types": ["password"]}, InvalidClientMetadata),
        ({"grant_types": ["client_credentials"]}, InvalidClientMetadata),
        ({"grant_types": ["authorization_code", 5]}, InvalidClientMetadata),
        ({"grant_types": ["refresh_token"]}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "private_key_jwt"}, InvalidClientMetadata),
        ({"scope": "openid admin"}, InvalidClientMetadata),
        ({"scope": 'open"id'}, InvalidClientMetadata),
        ({"subject_type": "pairwise"}, InvalidClientMetadata),
        ({"id_token_signed_response_alg": "none"}, InvalidClientMetadata),
        ({"id_token_signed_response_alg": "HS256"}, InvalidClientMetadata),
        ({"userinfo_signed_response_alg": "none"}, InvalidClientMetadata),
        ({"id_token_encrypted_response_alg": "RSA-OAEP"}, InvalidClientMetadata),
        ({"dpop_bound_access_tokens": True}, InvalidClientMetadata),
        ({"default_max_age": -1}, InvalidClientMetadata),
        ({"default_max_age": "300"}, InvalidClientMetadata),
        ({"jwks": {"keys": []}, "jwks_uri": "https://new.example.org/jwks"}, InvalidClientMetadata),
        ({"jwks": "keys"}, InvalidClientMetadata),
    ],
    ids=str,
)
def test_a_request_with_one_fault_is_refused_without_quoting_it(
    change: dict[str, Any], error: type[OAuthError]
) -> None:
    with pytest.raises(error) as refusal:
        registered(**change)
    description = refusal.value.description
    assert refusal.value.status == 400
    assert description
    assert all(" " <= character <= "~" and character not in '"\\' for character in description)
    assert "new.example.org" not in description


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": ["com.example.app:/callback"]},
        {"redirect_uris": [CALLBACK, "com.example.app:/callback"], "token_endpoint_auth_method": "none"},
        {"redirect_uris": ["com.example.app:/callback"], "application_type": "native"},
    ],
)
def test_a_client_with_a_private_use_scheme_is_native(changes: dict[str, Any]) -> None:
    """RFC 7591 has no application_type. RFC 8252 §8.4: a registered native client may have a secret of its own."""
    assert registered(**changes).application_type == "native"


def test_a_scheme_without_a_dot_needs_an_entry_in_the_configuration() -> None:
    registered(redirect_uris=["cursor://anysphere/callback"], private_use_schemes=("cursor",))
    with pytest.raises(InvalidRedirectURI) as refusal:
        registered(redirect_uris=["vscode://callback"], private_use_schemes=("cursor",))
    assert "private_use_schemes" in refusal.value.description


def test_a_name_is_registered_in_its_normalized_form() -> None:
    assert registered(client_name="  My\u00a0 app ").client_name == "My app"


def test_an_empty_string_counts_as_omitted() -> None:
    urls = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri")
    empty: dict[str, Any] = dict.fromkeys(("client_name", *urls, "scope", "application_type"), "")
    metadata = registered(**empty)
    assert metadata.client_name is None
    assert [getattr(metadata, name) for name in urls] == [None] * len(urls)
    assert "notes:read" in metadata.scope


def test_unsupported_grants_and_response_types_are_left_out_of_the_registration() -> None:
    """RFC 7591 §2, §3.2.1."""
    metadata = registered(
        grant_types=["authorization_code", "implicit", "refresh_token", "client_credentials", "refresh_token"],
        response_types=["code", "code id_token", "token"],
    )
    assert metadata.grant_types == ["authorization_code", "refresh_token"]
    assert metadata.response_types == ["code"]


def test_unknown_fields_and_nulls_are_ignored() -> None:
    changes: dict[str, Any] = {"client_name#ja": "アプリ", "software_id": "x", "logo_uri": None}
    metadata = registered(**changes)
    assert metadata.model_dump().keys().isdisjoint({"client_name#ja", "software_id"})
    assert metadata.logo_uri is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"redirect_uris": ["https://a.example/"], "redirect_uris": []}',
        b'{"client_name": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"software_id": "' + b"x" * MAX_BYTES + b'"}',
    ],
)
def test_a_body_that_is_not_a_short_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse_registration(body)
