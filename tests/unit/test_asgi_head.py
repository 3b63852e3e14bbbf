"""HEAD is answered like GET, without the content."""

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tallystick_service.asgi import Head

app = FastAPI()
app.add_middleware(Head)


@app.get("/text/{word}", response_class=PlainTextResponse)
async def text(word: str) -> str:
    return word


@app.post("/form")
async def form() -> None:
    raise AssertionError("this endpoint must not be called")


def asking() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://small")


async def test_head_has_the_headers_of_get() -> None:
    async with asking() as http:
        head, get = await http.head("/text/word"), await http.get("/text/word")
    assert (head.status_code, head.content, get.content) == (200, b"", b"word")
    assert head.headers == get.headers


async def test_head_is_refused_where_get_is() -> None:
    async with asking() as http:
        assert (await http.head("/form")).status_code == 405
        assert (await http.head("/nowhere")).status_code == 404


async def test_outer_middleware_sees_the_route_of_a_head_request() -> None:
    seen = []

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        seen.append((scope["method"], scope["route"].path))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(outermost), base_url="http://small") as http:
        await http.head("/text/word")
    assert seen == [("HEAD", "/text/{word}")]
