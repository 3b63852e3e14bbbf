"""Server metadata (OpenID Connect Discovery 1.0, RFC 8414)."""

import httpx
import pytest

from tests.support.auth_service import AuthService
from tests.support.declared import EVERY_SCOPE, ISSUER
from tests.support.relying_party import RelyingParty

pytestmark = pytest.mark.postgresql

REGISTERED = {
    "status_list_aggregation_endpoint",  # Token Status List §9.1
    # RFC 8414 §2
    *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint", "scopes_supported"),
    *("response_types_supported", "response_modes_supported", "grant_types_supported"),
    *("token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported"),
    *("revocation_endpoint_auth_signing_alg_values_supported",),
    *("introspection_endpoint_auth_signing_alg_values_supported",),
    *("service_documentation", "revocation_endpoint", "revocation_endpoint_auth_methods_supported"),
    *("introspection_endpoint", "introspection_endpoint_auth_methods_supported", "code_challenge_methods_supported"),
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    # OpenID Connect Discovery 1.0 §3
    *("userinfo_endpoint", "acr_values_supported", "subject_types_supported", "id_token_signing_alg_values_supported"),
    *("claims_supported", "claims_parameter_supported", "request_parameter_supported"),
    *("request_object_signing_alg_values_supported",),
    *("request_uri_parameter_supported", "require_request_uri_registration", "ui_locales_supported"),
    *("userinfo_signing_alg_values_supported", "display_values_supported", "claim_types_supported"),
    # Back-Channel Logout 1.0 §2.1
    *("backchannel_logout_supported", "backchannel_logout_session_supported"),
    # RP-Initiated Logout 1.0 §2.1, Initiating User Registration 1.0 §4.1, RFC 9207 §3
    *("end_session_endpoint", "prompt_values_supported", "authorization_response_iss_parameter_supported"),
}


async def metadata(auth: AuthService) -> dict[str, object]:
    document: dict[str, object] = (await auth.http().get("/.well-known/openid-configuration")).json()
    return document


async def test_both_well_known_urls_have_the_same_document(auth: AuthService) -> None:
    http = auth.http()
    openid = await http.get("/.well-known/openid-configuration")
    oauth = await http.get("/.well-known/oauth-authorization-server")
    assert openid.content == oauth.content
    assert openid.headers["content-type"] == "application/json"


async def test_all_names_are_registered(auth: AuthService) -> None:
    assert (await metadata(auth)).keys() <= REGISTERED


async def test_all_required_names_are_present(auth: AuthService) -> None:
    document = await metadata(auth)
    assert document["issuer"] == ISSUER
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["subject_types_supported"] == ["public"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert set(EVERY_SCOPE.split()) == set(str(document["scopes_supported"]).strip("[]").replace("'", "").split(", "))
    assert document["request_uri_parameter_supported"] is False  # absent would mean true


async def test_every_endpoint_is_at_the_issuer_and_exists(auth: AuthService) -> None:
    for name, url in (await metadata(auth)).items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert str(url).startswith(f"{ISSUER}/")
            assert (await auth.http().get(str(url))).status_code != 404


async def test_the_host_header_does_not_change_the_metadata(auth: AuthService) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    for path in ("/.well-known/openid-configuration", "/login", "/"):
        assert "evil.example" not in (await auth.http().get(path, headers=headers)).text


async def test_a_client_can_sign_in_with_the_metadata_only(auth: AuthService, rp: RelyingParty) -> None:
    document = await metadata(auth)
    tokens = await rp.tokens()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    response: httpx.Response = await rp.http.get(str(document["userinfo_endpoint"]), headers=headers)
    assert response.status_code == 200
