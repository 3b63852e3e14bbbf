"""GET /logo: the logo of a client, for the service's own pages."""

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.dependencies import LogosDep, RegistryDep
from auth_service.http.json_response import json_response

router = APIRouter()

_HEADERS = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox",  # applies when the image is opened as a document
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/logo", response_class=Response, include_in_schema=False)
async def logo(request: Request, registry: RegistryDep, logos: LogosDep) -> Response:
    """The logo of the client that `client_id` names; 404 if there is none."""
    client_ids = request.query_params.getlist("client_id")
    client = await registry.client(client_ids[0]) if len(client_ids) == 1 else None
    found = await logos.find_logo(client) if client is not None else None
    if found is None:
        return json_response({"error": "not_found"}, 404)
    return Response(found.content, media_type=found.media_type, headers=_HEADERS)
