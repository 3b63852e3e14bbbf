"""/userinfo: who the user is, as far as the token's scope tells (OIDC Core §5.3)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.documented import refusals
from auth_service.endpoints.json_response import json_response
from auth_service.form import read_form
from auth_service.provider import Provided, Provider
from auth_service.store import users
from auth_service.store.users import User
from auth_service.tokens import access_token
from auth_service.tokens.presented import live_family
from tallystick.bearer import bearer_token, require_scopes
from tallystick.claims import AccessTokenClaims
from tallystick.errors import InvalidBearerRequest, InvalidRequest, InvalidToken

router = APIRouter(tags=["OpenID Connect"])

SCOPE_CLAIMS = {
    "profile": (
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
        *("picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""OIDC Core §5.4."""


@router.get("/userinfo", response_class=Response, responses=refusals(400, 401, 403, 503))
async def userinfo(request: Request, provider: Provided) -> Response:
    """The claims of the user who is behind an access token (OIDC Core §5.3.1)."""
    return await _userinfo(bearer_token(request.headers.getlist("authorization")), provider)


@router.post("/userinfo", response_class=Response, responses=refusals(400, 401, 403, 413, 503))
async def userinfo_by_post(request: Request, provider: Provided) -> Response:
    """The same; the token may be in the form (RFC 6750 §2.2)."""
    authorization = request.headers.getlist("authorization")
    in_form = None
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            in_form = (await read_form(request)).get("access_token")
        except InvalidRequest as refusal:
            raise InvalidBearerRequest(refusal.description) from None
    if in_form is not None and authorization:
        raise InvalidBearerRequest("the access token comes in the header or in the form, not in both")
    return await _userinfo(in_form or bearer_token(authorization), provider)


async def _userinfo(token: str, provider: Provider) -> Response:
    claims, user = await live_user(token, provider)
    require_scopes(claims, ["openid"])
    return json_response(user_claims(user, claims.scopes))


async def live_user(token: str, provider: Provider) -> tuple[AccessTokenClaims, User]:
    """The user behind an access token of ours whose family is alive. Raises InvalidToken."""
    now = provider.clock()
    claims = access_token.read(token, issuer=provider.issuer, keys=await provider.key_ring.verification_keys(), now=now)
    try:
        family_id = access_token.family_id_of(claims)
    except ValueError:
        raise InvalidToken("the token is malformed") from None
    family = await live_family(family_id, provider.issuing)
    user = None
    if family is not None and family.sub is not None:
        user = await provider.store.read(users.find, family.sub)
    if user is None:
        raise InvalidToken("the token was revoked, or belongs to no user")
    return claims, user


def user_claims(user: User, scopes: frozenset[str]) -> dict[str, Any]:
    """Those claims of the scopes that the user has; what is unknown is left out, never null."""
    known = {**user.claims, "email": user.email, "updated_at": user.updated_at}
    names = [name for scope, names in SCOPE_CLAIMS.items() if scope in scopes for name in names]
    return {"sub": user.sub} | {name: known[name] for name in names if name in known}
