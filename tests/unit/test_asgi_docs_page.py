"""The docs page: the service serves all of it, and no script is inline."""

import re
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from tallystick_service.asgi import SecurityHeaders
from tallystick_service.asgi.docs_page import add_docs_page


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI(title='Notes <&"> API', docs_url=None, redoc_url=None)
    add_docs_page(
        app, client_id="notes-docs", scopes=["notes:read", "notes:write"], connect_src=["https://id.example.com"]
    )
    app.add_middleware(SecurityHeaders, https=True)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com")


class Page(HTMLParser):
    """The URLs that a page loads, and the attributes of the element with the id `swagger-ui`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.options: dict[str, str | None] = {}
        self.inline = ""
        self._is_in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_in_script = tag in {"script", "style"}
        attributes = dict(attrs)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        self.addresses += [value for name in ("src", "href") if (value := attributes.get(name))]
        if attributes.get("id") == "swagger-ui":
            self.options = attributes

    def handle_endtag(self, tag: str) -> None:
        self._is_in_script = False

    def handle_data(self, data: str) -> None:
        if self._is_in_script:
            self.inline += data.strip()


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect"])
async def test_pages_load_only_from_the_service(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    page = Page(response.text)
    assert page.inline == ""
    for address in page.addresses:
        if address != "data:,":  # it prevents a request for an icon
            loaded = await client.get(str(response.url.join(address)))
            assert (loaded.status_code, loaded.headers["x-content-type-options"]) == (200, "nosniff")


async def test_policy_allows_only_the_own_and_the_configured_origins(client: httpx.AsyncClient) -> None:
    policy = dict(
        directive.split(" ", 1)
        for directive in (await client.get("/docs")).headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://id.example.com"
    assert policy["frame-ancestors"] == "'none'"


async def test_options_appear_unchanged_in_the_page(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/docs")).text)
    assert page.options["data-client-id"] == "notes-docs"
    assert page.options["data-scopes"] == "notes:read notes:write"
    assert page.options["data-openapi-url"] == "/openapi.json"


async def test_title_is_escaped(client: httpx.AsyncClient) -> None:
    assert re.search("<title>Notes &lt;&amp;&quot;&gt; API</title>", (await client.get("/docs")).text)


async def test_page_is_not_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["paths"] == {}


async def test_cached_asset_is_answered_with_304(client: httpx.AsyncClient) -> None:
    first = await client.get("/docs/swagger-ui.css")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/css; charset=utf-8")
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await client.get("/docs/swagger-ui.css", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await client.get("/docs/swagger-ui.css", headers={"If-None-Match": '"x"'})).status_code == 200


async def test_asset_is_sent_as_views_on_one_buffer() -> None:
    """Responses that wait for peers which do not read share one buffer."""
    app = FastAPI(docs_url=None, redoc_url=None)
    add_docs_page(app)
    buffers, size = set(), 0

    async def send(message: Message) -> None:
        nonlocal size
        if body := message.get("body"):
            assert len(body) <= 64 * 1024
            buffers.add(id(body.obj))
            size += len(body)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/docs/swagger-ui-bundle.js", "headers": [], "query_string": b""}
    for _ in range(2):
        await app(scope | {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": None}, receive, send)
    assert len(buffers) == 1
    assert size > 2_000_000
