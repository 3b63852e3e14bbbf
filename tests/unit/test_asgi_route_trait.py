"""A mark on an endpoint is found from its route, before and after routing."""

import logging

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException

from auth_service.endpoints.oauth import jwks, status_list
from auth_service.endpoints.operation import health
from tallystick_service.asgi import Head, RequestId
from tallystick_service.asgi.request_id import POLLED
from tallystick_service.asgi.route_trait import RouteTrait

LARGE = RouteTrait("large")


def app_with_routes() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/included")

    @router.get("/marked/{name}")
    @POLLED
    async def marked(name: str) -> None:
        if name == "missing":
            raise HTTPException(404)

    @router.get("/unmarked")
    @LARGE
    async def unmarked() -> None:
        pass

    app.include_router(router)
    app.add_middleware(Head)
    app.add_middleware(RequestId)
    return app


@pytest.mark.parametrize(
    ("method", "path", "level"),
    [
        ("GET", "/included/marked/one", logging.DEBUG),
        ("HEAD", "/included/marked/one", logging.DEBUG),
        ("GET", "/included/marked/missing", logging.INFO),
        ("GET", "/included/unmarked", logging.INFO),
        ("GET", "/unknown", logging.INFO),
    ],
)
async def test_only_successful_requests_to_polled_endpoints_are_logged_at_debug(
    caplog: pytest.LogCaptureFixture, method: str, path: str, level: int
) -> None:
    transport = httpx.ASGITransport(app_with_routes())
    with caplog.at_level(logging.DEBUG, "tallystick.access"):
        async with httpx.AsyncClient(transport=transport, base_url="http://small") as client:
            await client.request(method, path)
    assert [record.levelno for record in caplog.records if record.name == "tallystick.access"] == [level]


def test_marked_routes_are_listed_with_their_full_paths() -> None:
    routes = app_with_routes().routes
    assert [route.path for route in POLLED.routes(routes)] == ["/included/marked/{name}"]
    assert [route.path for route in LARGE.routes(routes)] == ["/included/unmarked"]


def test_probes_and_documents_of_the_auth_service_are_polled() -> None:
    paths = [route.path for module in (jwks, status_list, health) for route in POLLED.routes(module.router.routes)]
    assert paths == ["/jwks", "/status-lists", "/status-lists/1", "/healthz", "/readyz"]
