"""The server metadata of RFC 8414 and OpenID Connect Discovery 1.0, which are one document."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from auth_service.authorization.request import PROMPTS, RESPONSE_MODES
from auth_service.endpoints.dependencies import IssuerUrl, RegistrationsDep, RegistryDep
from auth_service.grants import GRANTS
from auth_service.http.json_response import json_response
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import ANY_ORIGIN
from auth_service.vocabulary.acr import ACR_VALUES
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from auth_service.vocabulary.auth_methods import AUTH_METHODS, CONFIDENTIAL_METHODS
from auth_service.vocabulary.scopes import OIDC_SCOPES, SCOPE_CLAIMS
from tallystick.jwt import CLIENT_ASSERTION

router = APIRouter(tags=["Metadata"], route_class=RawRoute)

AUTHENTICATED = ("token", "revocation", "introspection")
ASSERTION_ALGORITHMS = sorted(CLIENT_ASSERTION.algorithms)


async def _metadata(issuer: IssuerUrl, registry: RegistryDep, registrations: RegistrationsDep) -> Response:
    apis = await registry.cached_apis()  # an API that verifies tokens may ask without the store
    document = metadata_document(
        issuer,
        scopes=sorted({*OIDC_SCOPES, *apis.owner}),
        offers_registration=registrations.is_offered,
    )
    return json_response(document, headers={"Cache-Control": "public, max-age=60"})


MetadataResponse = Annotated[Response, Depends(_metadata)]


@router.get("/.well-known/openid-configuration", response_class=Response)
@ANY_ORIGIN
async def openid_configuration(response: MetadataResponse) -> Response:
    """OpenID Connect Discovery 1.0 §4."""
    return response


@router.get("/.well-known/oauth-authorization-server", response_class=Response)
@ANY_ORIGIN
async def oauth_authorization_server(response: MetadataResponse) -> Response:
    """RFC 8414 §3: the same document, for clients without OpenID Connect."""
    return response


def metadata_document(issuer: str, *, scopes: list[str], offers_registration: bool) -> dict[str, Any]:
    """Only registered names, and only features that exist."""
    registration = {"registration_endpoint": f"{issuer}/register"} if offers_registration else {}
    return registration | {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "status_list_aggregation_endpoint": f"{issuer}/status-lists",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "end_session_endpoint": f"{issuer}/logout",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANTS),
        "subject_types_supported": ["public"],
        "acr_values_supported": list(ACR_VALUES),
        "id_token_signing_alg_values_supported": list(SIGNING_ALGS),
        "userinfo_signing_alg_values_supported": list(SIGNING_ALGS),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": list(CONFIDENTIAL_METHODS),
        **{f"{name}_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS for name in AUTHENTICATED},
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "sid"),
            *(name for names in SCOPE_CLAIMS.values() for name in names),
        ],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "display_values_supported": ["page"],
        "ui_locales_supported": ["en"],
        # Request objects are refused. Without this list, clients and the conformance suite try the algorithm `none`.
        "request_object_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }
