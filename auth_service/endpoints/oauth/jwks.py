"""GET /jwks: the public signing keys (RFC 7517 §5)."""

from hashlib import sha256

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.dependencies import KeyRingDep
from auth_service.http.entity_tag import matches_if_none_match
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import ANY_ORIGIN
from auth_service.vocabulary.timing import JWKS_MAX_AGE
from tallystick_service.asgi.request_id import POLLED

router = APIRouter(tags=["Metadata"], route_class=RawRoute)


@router.get("/jwks", response_class=Response, responses={304: {"description": "Not changed"}})
@POLLED
@ANY_ORIGIN
async def jwks(request: Request, key_ring: KeyRingDep) -> Response:
    """The keys to verify tokens with. A key is published before it signs, and until its last token has expired."""
    document = await key_ring.jwks()
    tag = f'"{sha256(document).hexdigest()[:32]}"'  # the same in all processes, as the document is
    headers = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE}", "ETag": tag}
    if matches_if_none_match(tag, request.headers.getlist("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(document, headers=headers, media_type="application/jwk-set+json")
