"""/healthz: the process runs. /readyz: it can do its work."""

from fastapi import APIRouter, Response

from auth_service.composition import Provided
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.asgi.request_id import POLLED

router = APIRouter(tags=["Operation"])


@router.get("/healthz", response_class=Response)
@POLLED
async def healthz() -> Response:
    """Says nothing of what we lean on: restarting this process would not mend a database."""
    return json_response({"status": "ok"})


@router.get("/readyz", response_class=Response, responses=error_responses(503))
@POLLED
async def readyz(provider: Provided) -> Response:
    """The store answers and can be written to, there is a key to sign with, and a status list that counts."""
    try:
        await provider.registry.reload()
        await provider.store.check_writing()
        await provider.key_ring.signing_key()
        if not provider.status_list_publishing.is_current:
            await provider.status_list_publishing.look()
        if not provider.status_list_publishing.is_current:
            raise TemporarilyUnavailable("the status list is out of date")
    except TemporarilyUnavailable:
        return json_response({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})
    return json_response({"status": "ok"})
