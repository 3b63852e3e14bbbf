"""Config OP: what the discovery document and the JWK Set must have, and must not have."""

import re

from tests.conformance.checks import is_https
from tests.conformance.suite import Suite

KNOWN = frozenset(
    (
        # RFC 8414 §2, RFC 9207 §3
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"),
        "status_list_aggregation_endpoint",  # Token Status List §9.1
        *("scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported"),
        *("token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported"),
        *("service_documentation", "ui_locales_supported", "op_policy_uri", "op_tos_uri"),
        *("revocation_endpoint", "revocation_endpoint_auth_methods_supported"),
        *("revocation_endpoint_auth_signing_alg_values_supported", "code_challenge_methods_supported"),
        *("introspection_endpoint", "introspection_endpoint_auth_methods_supported"),
        *("introspection_endpoint_auth_signing_alg_values_supported",),
        *("authorization_response_iss_parameter_supported",),
        # OIDC Discovery §3
        *("userinfo_endpoint", "acr_values_supported", "subject_types_supported"),
        *("id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"),
        *("request_object_signing_alg_values_supported", "display_values_supported", "claim_types_supported"),
        *("claims_supported", "claims_locales_supported", "claims_parameter_supported"),
        *("request_parameter_supported", "request_uri_parameter_supported", "require_request_uri_registration"),
        # Logout, and OIDC Prompt Create §4
        *("end_session_endpoint", "backchannel_logout_supported", "backchannel_logout_session_supported"),
        *("prompt_values_supported",),
    )
)
"""The registered names that could apply to this provider."""


async def test_discovery_endpoint_verification(static_suite: Suite) -> None:
    response = await static_suite.http.get("/.well-known/openid-configuration")
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    document = response.json()
    assert document["issuer"] == static_suite.op.settings.issuer
    assert is_https(document["issuer"])
    assert document.keys() <= KNOWN
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        assert is_https(document[name])
    assert all(is_https(url) for name, url in document.items() if name.endswith("_endpoint"))
    assert "code" in document["response_types_supported"]
    assert {"public", "pairwise"} & set(document["subject_types_supported"])
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "none" not in document["id_token_signing_alg_values_supported"]
    # With RS256 there is no warning; without `none` the modules for unsigned request objects are skipped.
    assert "RS256" in document["request_object_signing_alg_values_supported"]
    assert "none" not in document["request_object_signing_alg_values_supported"]
    assert document["grant_types_supported"]
    assert "openid" in document["scopes_supported"]
    assert all(re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope) for scope in document["scopes_supported"])
    assert document["claims_supported"]
    for name in ("ui_locales_supported", "claims_locales_supported"):
        assert all(re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", tag) for tag in document.get(name, []))
    for name, value in document.items():
        if name.endswith(("_supported", "_values_supported")) and not isinstance(value, bool):
            assert isinstance(value, list), name
            assert all(isinstance(member, str) for member in value), name


async def test_the_keys_are_public_and_well_formed(static_suite: Suite) -> None:
    assert {key["alg"] for key in static_suite.jwks["keys"]} == {"ES256", "RS256"}  # `discover` checks the rest


async def test_the_document_of_rfc_8414_agrees(static_suite: Suite) -> None:
    response = await static_suite.http.get("/.well-known/oauth-authorization-server")
    assert response.json() == static_suite.metadata
