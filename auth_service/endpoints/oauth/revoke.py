"""POST /revoke: a client revokes a token, and with it the whole family (RFC 7009)."""

from fastapi import APIRouter, Response

from auth_service.endpoints.dependencies import (
    AuthenticatedClient,
    ClientFamiliesDep,
    ClockDep,
    FormBody,
    MetricsDep,
    StoreDep,
    TokenLookupDep,
)
from auth_service.http.openapi import error_responses, form_body
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import CLIENT_ORIGINS
from auth_service.store.tokens import refresh_tokens, revocations
from auth_service.tokens.lookup import IssuedAccessToken
from tallystick.errors import InvalidGrant

router = APIRouter(tags=["OAuth 2.1"], route_class=RawRoute)


@router.post(
    "/revoke",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=form_body(required=["token"], token="an access token or a refresh token", token_type_hint="ignored"),  # noqa: S106
)
@CLIENT_ORIGINS
async def revoke(
    form: FormBody,
    client: AuthenticatedClient,
    lookup: TokenLookupDep,
    store: StoreDep,
    client_families: ClientFamiliesDep,
    metrics: MetricsDep,
    clock: ClockDep,
) -> Response:
    """Revoke the token's family. An unknown or inactive token is answered with 200, too (RFC 7009 §2.2)."""
    token = await lookup.identify_token(form.require("token"), client)
    if isinstance(token, IssuedAccessToken) and token.claims.client_id != client.client_id:
        raise InvalidGrant("the token was issued to another client", reason="token_of_another_client")
    if token is not None:
        now = clock()
        try:
            if isinstance(token, IssuedAccessToken):
                has_revoked = await store.write(revocations.revoke_family_on_request, token.family_id, now=now)
            else:
                has_revoked = await store.write(refresh_tokens.revoke_family_of_refresh_token, token, now=now)
        finally:  # the write may have been done even when this request gave it up
            client_families.forget(client.client_id)
        if has_revoked:
            metrics.revocations.inc("revocation_request")
    return Response(headers={"Cache-Control": "no-store"})
