"""POST /introspect: whether a token is active, and its claims (RFC 7662)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from auth_service.endpoints.dependencies import (
    AuthenticatedClient,
    ClockDep,
    FormBody,
    IssuerUrl,
    RegistryDep,
    TokenLookupDep,
)
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses, form_body
from auth_service.http.raw_route import RawRoute
from auth_service.store.clients.clients import Client
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.tokens.lookup import IssuedAccessToken
from tallystick.errors import InvalidClient

router = APIRouter(tags=["OAuth 2.1"], route_class=RawRoute)

_INACTIVE = {"active": False}


async def _confidential_client(client: AuthenticatedClient) -> Client:
    if client.is_public:
        raise InvalidClient("introspection needs a client with credentials", reason="client_is_public")
    return client


ConfidentialClient = Annotated[Client, Depends(_confidential_client)]


@router.post(
    "/introspect",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=form_body(required=["token"], token="an access token or a refresh token", token_type_hint="ignored"),  # noqa: S106
)
async def introspect(
    form: FormBody,
    client: ConfidentialClient,
    lookup: TokenLookupDep,
    registry: RegistryDep,
    issuer: IssuerUrl,
    clock: ClockDep,
) -> Response:
    """The token's own client and the clients that its API lists get the claims. For others every token is inactive."""
    claims: dict[str, Any] | None = None
    match await lookup.identify_token(form.require("token"), client):
        case IssuedAccessToken() as token:
            api = (await registry.apis()).by_audience.get(str(token.claims.aud))
            allowed = {token.claims.client_id, *(api.introspection_clients if api is not None else ())}
            if client.client_id in allowed and token.claims.exp > clock():
                claims = await _access_token_claims(token, lookup)
        case RefreshToken() as token:
            claims = await _refresh_token_claims(token, lookup, issuer)
        case None:
            pass
    return json_response(_INACTIVE if claims is None else {"active": True, **claims})


async def _access_token_claims(token: IssuedAccessToken, lookup: TokenLookupDep) -> dict[str, Any] | None:
    if await lookup.find_live_family(token.family_id) is None:
        return None
    return {"token_type": "Bearer", **token.claims.model_dump(exclude_none=True)}


async def _refresh_token_claims(token: RefreshToken, lookup: TokenLookupDep, issuer: str) -> dict[str, Any] | None:
    family = await lookup.find_family_of_current_token(token)
    if family is None:
        return None
    return {
        "client_id": family.authorization.client_id,
        "sub": family.authorization.sub,
        "scope": family.authorization.scope,
        "iss": issuer,
        "exp": family.refresh_expires_at,
    }
