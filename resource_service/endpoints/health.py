"""/healthz and /readyz, for whoever decides whether to restart this process, and whether to send it requests."""

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
    router = APIRouter(tags=["health"], dependencies=[Depends(_fresh)])

    @router.get("/healthz")
    @POLLED
    async def healthz() -> Health:
        """The process answers. Nothing that it leans on is asked, because restarting it would not mend that."""
        return Health()

    @router.get("/readyz", responses=problems(503))
    @POLLED
    async def readyz(store: StoreOfNotes) -> Health:
        """The store is reachable and can be written to, and tokens can be verified: there is a key, and with
        `fail_closed` a young list."""
        if not auth.is_ready:
            raise TemporarilyUnavailable("what the issuer last told does not suffice to verify tokens")
        await store.read(ping)
        await store.check_writing()
        return Health()

    return router


async def _fresh(response: Response) -> None:
    """No cache in between answers for us."""
    response.headers["Cache-Control"] = "no-store"
