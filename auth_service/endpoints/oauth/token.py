"""POST /token: trade a grant for tokens (RFC 6749 §3.2)."""

from fastapi import APIRouter, Response

from auth_service.endpoints.dependencies import AuthenticatedClient, FormBody, GrantContextDep, MetricsDep
from auth_service.grants import GRANTS
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses, form_body
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import CLIENT_ORIGINS
from tallystick.errors import UnauthorizedClient, UnsupportedGrantType

router = APIRouter(tags=["OAuth 2.1"], route_class=RawRoute)


@router.post(
    "/token",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=form_body(
        required=["grant_type"],
        grant_type=", ".join(GRANTS),
        code="the authorization code",
        redirect_uri="as in the authorization request",
        code_verifier="PKCE (RFC 7636 §4.1)",
        refresh_token="the newest refresh token of the family",  # noqa: S106
        scope="a part of what was granted",
        resource="the API that the access token is for (RFC 8707)",
        client_id="with client_secret_post, or of a public client",
        client_secret="with client_secret_post",  # noqa: S106
        client_assertion="with private_key_jwt (RFC 7523 §2.2)",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ),
)
@CLIENT_ORIGINS
async def token(form: FormBody, client: AuthenticatedClient, context: GrantContextDep, metrics: MetricsDep) -> Response:
    """Trade an authorization code, a refresh token or a client's own credentials for tokens (RFC 6749 §3.2)."""
    grant_type = form.require("grant_type")
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise UnsupportedGrantType(f"the supported grants are {', '.join(GRANTS)}")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("this client is not registered for this grant", reason="grant_not_registered")
    response = await grant(form, client, context)
    metrics.tokens_issued.inc(grant_type)
    return json_response(response)
