"""/healthz and /readyz, for probes that restart this process or route requests to it."""

from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from resource_service.endpoints.dependencies import StoreOfNotes
from resource_service.openapi import problems
from resource_service.store.health import ping
from tallystick.errors import TemporarilyUnavailable
from tallystick.fastapi import Tallystick
from tallystick_service.asgi.request_id import POLLED


class Health(BaseModel):
    status: Literal["ok"] = "ok"


def health_endpoints(auth: Tallystick) -> APIRouter:
    router = APIRouter(tags=["health"], dependencies=[Depends(_no_store)])

    @router.get("/healthz")
    @POLLED
    async def healthz() -> Health:
        """The process answers. Dependencies are not checked, because a restart would not repair them."""
        return Health()

    @router.get("/readyz", responses=problems(503))
    @POLLED
    async def readyz(store: StoreOfNotes) -> Health:
        """The store can be read and written, and tokens can be verified.

        Verification needs a key and, with `fail_closed`, a recent status list.
        """
        if not auth.is_ready:
            raise TemporarilyUnavailable("the issuer's keys, or recent status lists, are missing")
        await store.read(ping)
        await store.check_writing()
        return Health()

    return router


async def _no_store(response: Response) -> None:
    """Keep caches from storing the response."""
    response.headers["Cache-Control"] = "no-store"
