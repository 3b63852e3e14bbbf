"""/userinfo: who the user is, as far as the token's scope tells (OIDC Core §5.3)."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from auth_service.composition import Provided, Provider
from auth_service.http.form import read_form
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses
from auth_service.store.clients.clients import Client
from auth_service.store.users import users
from auth_service.tokens import access_token
from auth_service.tokens.lookup import live_family
from auth_service.tokens.user_claims import asked_for, claims_of, of_scopes
from tallystick import jwt
from tallystick.access_token_request import bearer_token, require_scopes
from tallystick.errors import InvalidBearerRequest, InvalidRequest, InvalidToken

router = APIRouter(tags=["OpenID Connect"])


@router.get("/userinfo", response_class=Response, responses=error_responses(400, 401, 403, 503))
async def userinfo(request: Request, provider: Provided) -> Response:
    """The claims of the user who is behind an access token (OIDC Core §5.3.1)."""
    return await _userinfo(bearer_token(request.headers.getlist("authorization")), provider)


@router.post("/userinfo", response_class=Response, responses=error_responses(400, 401, 403, 413, 503))
async def userinfo_by_post(request: Request, provider: Provided) -> Response:
    """The same; the token may be in the form (RFC 6750 §2.2)."""
    authorization = request.headers.getlist("authorization")
    in_form = None
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            in_form = (await read_form(request)).get("access_token")
        except InvalidRequest as refusal:
            raise InvalidBearerRequest(refusal.description, reason=refusal.reason) from None
    if in_form is not None and authorization:
        raise InvalidBearerRequest("the access token comes in the header or in the form, not in both")
    return await _userinfo(in_form or bearer_token(authorization), provider)


async def _userinfo(token: str, provider: Provider) -> Response:
    told = await _told(token, provider)
    alg = told.client.userinfo_signed_response_alg
    if alg is None:
        return json_response(told.claims)
    key = await provider.key_ring.signing_key(alg)
    signed = jwt.sign({"iss": provider.issuer, "aud": told.client.client_id, **told.claims}, key, typ="JWT")
    return Response(signed, headers={"Cache-Control": "no-store"}, media_type="application/jwt")


@dataclass(frozen=True)
class _Told:
    client: Client
    claims: dict[str, Any]


async def _told(token: str, provider: Provider) -> _Told:
    """What an access token of ours opens, if it carries `openid` and all that it lives under is alive.

    Raises InvalidToken or InsufficientScope.
    """
    now = provider.clock()
    claims = access_token.read(token, issuer=provider.issuer, keys=await provider.key_ring.verification_keys(), now=now)
    try:
        family_id = access_token.family_id_of(claims)
    except ValueError:
        raise InvalidToken("the token is malformed") from None
    family = await live_family(family_id, provider.issuing)
    client = await provider.registry.client(claims.client_id)
    user = None
    if family is not None and family.sub is not None:
        user = await provider.store.read(users.find_user, family.sub)
    if family is None or user is None or client is None:
        raise InvalidToken("the token was revoked, or belongs to no user", reason="revoked")
    require_scopes(claims, ["openid"])
    names = [*of_scopes(claims.scopes), *asked_for(family.claims, "userinfo", client.scopes)]
    return _Told(client, {"sub": user.sub} | claims_of(user, names))
