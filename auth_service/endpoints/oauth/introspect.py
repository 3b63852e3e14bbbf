"""POST /introspect: what a token is worth at this moment (RFC 7662)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from auth_service.composition import Provided, Provider
from auth_service.http.form import read_form
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses, form_body
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import refresh_tokens
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.tokens.lookup import PresentedAccessToken, live_family, recognize
from tallystick.errors import InvalidClient

router = APIRouter(tags=["OAuth 2.1"])

_INACTIVE = {"active": False}


@router.post(
    "/introspect",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=form_body(required=["token"], token="an access token or a refresh token", token_type_hint="ignored"),  # noqa: S106
)
async def introspect(request: Request, provider: Provided) -> Response:
    """For the token's own client, or one that its API lists; to anybody else every token is inactive."""
    form = await read_form(request)
    client = await provider.client_authentication.authenticate(request, form)
    if client.is_public:
        raise InvalidClient("introspection needs a client that can prove who it is", reason="client_is_public")
    match await recognize(form.require("token"), client, provider.issuing):
        case PresentedAccessToken() as presented:
            return json_response(await _access_token(presented, client, provider))
        case RefreshToken() as presented:
            return json_response(await _refresh_token(presented, provider))
        case None:
            return json_response(_INACTIVE)


async def _access_token(presented: PresentedAccessToken, client: Client, provider: Provider) -> dict[str, Any]:
    claims = presented.claims
    api = (await provider.registry.apis()).by_audience.get(str(claims.aud))
    others = api.introspection_clients if api is not None else frozenset()
    may_see = client.client_id == claims.client_id or client.client_id in others
    if not may_see or claims.exp <= provider.clock():
        return _INACTIVE
    if await live_family(presented.family_id, provider.issuing) is None:
        return _INACTIVE
    return {"active": True, "token_type": "Bearer", **claims.model_dump(exclude_none=True)}


async def _refresh_token(presented: RefreshToken, provider: Provider) -> dict[str, Any]:
    family = await provider.store.read(
        refresh_tokens.find_current,
        presented,
        now=provider.clock(),
        login_session_idle=provider.settings.lifetimes.login_session_idle,
    )
    if family is None:
        return _INACTIVE
    return {
        "active": True,
        "client_id": family.client_id,
        "sub": family.sub,
        "scope": family.scope,
        "iss": provider.issuer,
        "exp": family.refresh_expires_at,
    }
