"""/userinfo: claims about the user of an access token (OIDC Core §5.3)."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from auth_service.endpoints.dependencies import ClockDep, IssuerUrl, KeyRingDep, RegistryDep, StoreDep, TokenLookupDep
from auth_service.http.form import read_form
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import ANY_ORIGIN
from auth_service.store.clients.clients import Client
from auth_service.store.users import users
from auth_service.tokens.user_claims import claims_of_userinfo, user_claims
from tallystick import jwt
from tallystick.access_token_request import AccessTokenRequest, Requirement
from tallystick.errors import InvalidBearerRequest, InvalidRequest, InvalidToken

router = APIRouter(tags=["OpenID Connect"], route_class=RawRoute)


_REQUIREMENT = Requirement(scopes=("openid",))


@dataclass(frozen=True)
class _Userinfo:
    client: Client
    claims: dict[str, Any]


async def _access_token_request(request: Request) -> AccessTokenRequest:
    return AccessTokenRequest(request.method, lambda: str(request.url), request.headers.getlist("authorization"))


AccessTokenRequestDep = Annotated[AccessTokenRequest, Depends(_access_token_request)]


async def _access_token(request: Request, token_request: AccessTokenRequestDep) -> str:
    """The access token of the request: in its header or, with POST, in its form (RFC 6750 §2.1, §2.2)."""
    in_form = None
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if request.method == "POST" and is_form:
        try:
            in_form = (await read_form(request)).get("access_token")
        except InvalidRequest as refusal:
            raise InvalidBearerRequest(refusal.description, reason=refusal.reason) from None
    if in_form is not None and token_request.authorization:
        raise InvalidBearerRequest("the access token comes in the header or in the form, not in both")
    return in_form or token_request.access_token()


async def _userinfo(
    token: Annotated[str, Depends(_access_token)],
    token_request: AccessTokenRequestDep,
    lookup: TokenLookupDep,
    registry: RegistryDep,
    store: StoreDep,
    clock: ClockDep,
) -> _Userinfo:
    """The claims that an access token of ours opens. Raises InvalidToken and InsufficientScope."""
    now = clock()
    presented = await lookup.read_access_token(token, now=now)
    family = await lookup.find_live_family(presented.family_id)
    client = await registry.client(presented.claims.client_id)
    user = None
    if family is not None and family.authorization.sub is not None:
        user = await store.read(users.find_user, family.authorization.sub)
    if family is None or user is None or client is None:
        raise InvalidToken("the token was revoked, or belongs to no user", reason="revoked")
    token_request.authorize(presented.claims, _REQUIREMENT, now=now)
    names = claims_of_userinfo(presented.claims.scopes, family.authorization, client)
    return _Userinfo(client, {"sub": user.sub} | user_claims(user, names))


async def _response(
    userinfo: Annotated[_Userinfo, Depends(_userinfo)], key_ring: KeyRingDep, issuer: IssuerUrl
) -> Response:
    """JSON, or a signed JWT for a client that is registered so (OIDC Core §5.3.2)."""
    alg = userinfo.client.userinfo_signed_response_alg
    if alg is None:
        return json_response(userinfo.claims)
    claims = {"iss": issuer, "aud": userinfo.client.client_id, **userinfo.claims}
    signed = jwt.sign(claims, await key_ring.signing_key(alg), typ="JWT")
    return Response(signed, headers={"Cache-Control": "no-store"}, media_type="application/jwt")


UserinfoResponse = Annotated[Response, Depends(_response)]


@router.get("/userinfo", response_class=Response, responses=error_responses(400, 401, 403, 503))
@ANY_ORIGIN
async def userinfo(response: UserinfoResponse) -> Response:
    """The claims of the user who is behind an access token (OIDC Core §5.3.1)."""
    return response


@router.post("/userinfo", response_class=Response, responses=error_responses(400, 401, 403, 413, 503))
@ANY_ORIGIN
async def userinfo_by_post(response: UserinfoResponse) -> Response:
    """The same; the token may be in the form (RFC 6750 §2.2)."""
    return response
