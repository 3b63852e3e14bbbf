"""POST /revoke: a client takes a token back, and with it the whole family (RFC 7009)."""

from fastapi import APIRouter, Request, Response

from auth_service.composition import Provided, Provider
from auth_service.http.form import read_form
from auth_service.http.openapi import error_responses, form_body
from auth_service.store.tokens import refresh_tokens, revocations
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.tokens.lookup import PresentedAccessToken, recognize
from tallystick.errors import InvalidGrant

router = APIRouter(tags=["OAuth 2.1"])


@router.post(
    "/revoke",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=form_body(required=["token"], token="an access token or a refresh token", token_type_hint="ignored"),  # noqa: S106
)
async def revoke(request: Request, provider: Provided) -> Response:
    """End the token's family. 200 for what is unknown or dead, too: it is what the client wanted (RFC 7009 §2.2)."""
    form = await read_form(request)
    client = await provider.client_authentication.authenticate(request, form)
    presented = await recognize(form.require("token"), client, provider.issuing)
    if isinstance(presented, PresentedAccessToken) and presented.claims.client_id != client.client_id:
        raise InvalidGrant("the token was issued to another client", reason="token_of_another_client")
    if presented is not None:
        try:
            has_ended = await _revoke(presented, provider)
        finally:  # a write that was given up may have been done
            provider.issuing.own_families.forget(client.client_id)
        if has_ended:
            provider.metrics.revocations.inc("revocation_request")
    return Response(headers={"Cache-Control": "no-store"})


async def _revoke(presented: PresentedAccessToken | RefreshToken, provider: Provider) -> bool:
    now = provider.clock()
    if isinstance(presented, RefreshToken):
        return await provider.store.write(refresh_tokens.revoke_presented, presented, now=now)
    return await provider.store.write(revocations.revoke_presented, presented.family_id, now=now)
