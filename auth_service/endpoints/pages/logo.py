"""GET /logo: a client's logo for our pages, as an image and nothing else."""

from fastapi import APIRouter, Request, Response

from auth_service.composition import Provided
from auth_service.http.json_response import json_response

router = APIRouter()

_HEADERS = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox",  # for whoever opens it by itself
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/logo", response_class=Response, include_in_schema=False)
async def logo(request: Request, provider: Provided) -> Response:
    """The logo of the client that `client_id` names; 404 when there is none, for whatever reason."""
    names = request.query_params.getlist("client_id")
    client = await provider.registry.client(names[0]) if len(names) == 1 else None
    found = await provider.logos.find_logo(client) if client is not None else None
    if found is None:
        return json_response({"error": "not_found"}, 404)
    return Response(found.content, media_type=found.media_type, headers=_HEADERS)
