"""GET /jwks: the public halves (RFC 7517 §5)."""

from fastapi import APIRouter, Response

from auth_service.provider import Provided

router = APIRouter(tags=["Metadata"])


@router.get("/jwks", response_class=Response)
async def jwks(provider: Provided) -> Response:
    """The keys that tokens are verified with. A key is here before it signs, and until its last token has expired."""
    # Shorter than a key is published ahead, so that no cache hides a key that has begun to sign.
    headers = {"Cache-Control": "public, max-age=5"}
    return Response(await provider.key_ring.jwks(), headers=headers, media_type="application/jwk-set+json")
