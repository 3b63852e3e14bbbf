"""Routes that resolve an endpoint's dependencies without FastAPI's request parsing."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from auth_service.http.raw_route import RawRoute


async def test_a_dependency_is_resolved_once_and_before_those_that_need_it() -> None:
    calls: list[str] = []
    router = APIRouter(route_class=RawRoute)

    async def form(request: Request) -> str:
        calls.append("form")
        return request.url.query

    async def client(request: Request, form: Annotated[str, Depends(form)]) -> str:
        calls.append("client")
        return f"client of {form} by {request.method}"

    @router.get("/")
    async def endpoint(client: Annotated[str, Depends(client)], form: Annotated[str, Depends(form)]) -> Response:
        return Response(f"{client}, {form}")

    app = FastAPI()
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        assert (await http.get("/?a=b")).text == "client of a=b by GET, a=b"
    assert calls == ["form", "client"]


def test_a_parameter_that_is_no_dependency_is_refused_when_the_route_is_made() -> None:
    async def endpoint(client_id: str) -> Response:
        return Response(client_id)

    with pytest.raises(TypeError, match="client_id"):
        RawRoute("/", endpoint, response_model=None)
