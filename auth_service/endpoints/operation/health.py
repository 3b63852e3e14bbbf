"""/healthz: the process answers. /readyz: it can issue tokens and revoke them."""

from fastapi import APIRouter, Response

from auth_service.endpoints.dependencies import KeyRingDep, RegistryDep, StatusListPublisherDep, StoreDep
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.asgi.request_id import POLLED

router = APIRouter(tags=["Operation"])


@router.get("/healthz", response_class=Response)
@POLLED
async def healthz() -> Response:
    """Does not check the database, because restarting this process would not repair it."""
    return json_response({"status": "ok"})


@router.get("/readyz", response_class=Response, responses=error_responses(503))
@POLLED
async def readyz(
    registry: RegistryDep, store: StoreDep, key_ring: KeyRingDep, publisher: StatusListPublisherDep
) -> Response:
    """The store can be read and written, there is a signing key, and the status list is current."""
    try:
        await registry.reload()
        await store.check_writing()
        await key_ring.signing_key()
        if not publisher.is_current:
            await publisher.publish_if_due()
        if not publisher.is_current:
            raise TemporarilyUnavailable("the status list is out of date")
    except TemporarilyUnavailable:
        return json_response({"error": "temporarily_unavailable"}, 503, {"Retry-After": "1"})
    return json_response({"status": "ok"})
