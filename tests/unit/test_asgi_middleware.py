"""The ASGI middleware of both services, each class around a small application."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.errors import InvalidGrant
from tallystick.request_id import request_id
from tallystick_service.asgi import BodyLimit, ForwardedHeaders, RequestId, SecurityHeaders, ServerErrors
from tallystick_service.server.logs import JSONLines
from tallystick_service.store import StoreUnavailable


def asking(app: ASGIApp, *, peer: str = "192.0.2.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(peer, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://small")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with the body of the request, and the client's address in a header."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client is gone")
        body += message["body"]
        if not message["more_body"]:
            break
    headers = [(b"x-client", scope["client"][0].encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def raising(error: Exception, *, begin: bool = False) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begin:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


class TestSecurityHeaders:
    async def test_every_response_has_the_headers(self) -> None:
        headers = (await asking(SecurityHeaders(echo, https=True)).get("/")).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["strict-transport-security"].startswith("max-age=31536000")
        assert "permissions-policy" in headers

    async def test_http_service_sends_no_hsts(self) -> None:
        assert "strict-transport-security" not in (await asking(SecurityHeaders(echo, https=False)).get("/")).headers

    async def test_header_that_a_response_sets_is_kept(self) -> None:
        app = FastAPI()

        @app.get("/")
        async def page() -> PlainTextResponse:
            return PlainTextResponse("", headers={"Content-Security-Policy": "default-src 'self'"})

        app.add_middleware(SecurityHeaders, https=False)
        headers = (await asking(app).get("/")).headers
        assert headers.get_list("content-security-policy") == ["default-src 'self'"]


class TestBodyLimit:
    @pytest.mark.parametrize(("size", "status"), [(0, 200), (100, 200), (101, 413)])
    async def test_body_above_the_limit_is_refused(self, size: int, status: int) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(size):
                yield b"x"

        async with asking(BodyLimit(echo, limit=100)) as client:
            assert (await client.post("/", content=b"x" * size)).status_code == status
            assert (await client.post("/", content=pieces())).status_code == status

    async def test_framework_cannot_change_the_413(self) -> None:
        app = FastAPI()

        @app.post("/")
        async def take(number: list[int]) -> int:
            return sum(number)

        app.add_middleware(BodyLimit, limit=100)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"[" + b"1," * 200 + b"1]"

        response = await asking(app).post("/", content=pieces())
        assert (response.status_code, response.json()["error"]) == (413, "invalid_request")

    @pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "0x10", ""])
    async def test_content_length_that_is_no_number_is_refused(self, length: str) -> None:
        response = await asking(BodyLimit(echo)).post("/", headers={"content-length": length}, content=b"")
        assert response.status_code == 413

    async def test_no_413_follows_a_response_that_has_started(self) -> None:
        """The client would take a second response for that to another request."""

        async def eager(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await echo(scope, receive, send)

        sent: list[Message] = []
        messages = iter([{"type": "http.request", "body": b"x" * 101, "more_body": True}])

        async def receive() -> Message:
            return next(messages)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked")], "client": ("192.0.2.1", 1)}
        await BodyLimit(eager, limit=100)(scope, receive, send)
        assert [message["type"] for message in sent] == ["http.response.start"]


class TestServerErrors:
    async def test_unexpected_error_is_logged_and_answered_without_details(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        response = await asking(ServerErrors(raising(ValueError("a secret")))).get("/")
        assert (response.status_code, response.json()) == (500, {"error": "server_error"})
        assert "a secret" in caplog.text

    async def test_unavailable_store_is_a_503_with_retry_after(self) -> None:
        response = await asking(ServerErrors(raising(StoreUnavailable("the store is away", retry_after=7)))).get("/")
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")
        assert response.headers["cache-control"] == "no-store"
        assert response.json() == {"error": "temporarily_unavailable", "error_description": "the store is away"}

    async def test_refusal_without_exception_handler_keeps_its_status(self) -> None:
        response = await asking(ServerErrors(raising(InvalidGrant("spent")))).get("/")
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")

    async def test_error_after_the_start_of_the_response_reaches_the_server(self) -> None:
        with pytest.raises(ValueError, match="too late"):
            await asking(ServerErrors(raising(ValueError("too late"), begin=True))).get("/")


class TestRequestId:
    async def test_each_request_has_its_own_id(self) -> None:
        app = FastAPI()

        @app.get("/")
        async def name() -> str:
            return request_id.get()

        app.add_middleware(RequestId)
        first, second = [await asking(app).get("/") for _ in range(2)]
        assert first.json() == first.headers["x-request-id"] != second.headers["x-request-id"]

    async def test_id_from_a_proxy_is_kept(self) -> None:
        response = await asking(RequestId(echo)).get("/", headers={"X-Request-ID": "from-the-proxy.1"})
        assert response.headers["x-request-id"] == "from-the-proxy.1"

    @pytest.mark.parametrize(
        "name", ["", "short", "a" * 129, 'a"quotation', "two words", "ümlaut-ümlaut", "a;b;c;d;e;f"]
    )
    async def test_malformed_id_is_replaced(self, name: str) -> None:
        response = await asking(RequestId(echo)).get("/", headers=[(b"X-Request-ID", name.encode())])
        assert len(response.headers["x-request-id"]) == 32

    @pytest.mark.parametrize(
        ("path", "endpoint"), [("/callback/secret", "/callback/{state}"), ("/secret", "other"), ("/%0asecret", "other")]
    )
    async def test_request_is_one_log_line_without_text_of_the_caller(
        self, caplog: pytest.LogCaptureFixture, path: str, endpoint: str
    ) -> None:
        app = FastAPI()

        @app.post("/callback/{state}")
        async def callback(state: str) -> None:
            pass

        app.add_middleware(RequestId)
        with caplog.at_level(logging.INFO, "tallystick.access"):
            response = await asking(app).post(f"{path}?code=secret")
        (record,) = caplog.records
        line = log_line(record)
        assert (line["method"], line["endpoint"], line["status"]) == ("POST", endpoint, response.status_code)
        assert line["milliseconds"] >= 0
        assert "secret" not in json.dumps(line)

    async def test_error_is_logged_with_the_request_id(self) -> None:
        records: list[dict[str, Any]] = []

        class Collect(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                records.append(log_line(record))

        collect = Collect()
        logging.getLogger("tallystick_service").addHandler(collect)
        try:
            app = RequestId(ServerErrors(raising(ValueError("an unexpected failure"))))
            response = await asking(app).get("/", headers={"X-Request-ID": "12345678"})
        finally:
            logging.getLogger("tallystick_service").removeHandler(collect)
        assert response.headers["x-request-id"] == "12345678"
        assert records[0]["request_id"] == "12345678"
        assert "an unexpected failure" in records[0]["error"]


class TestForwardedHeaders:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the left one comes from the client
            ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),  # two headers are one list
            ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # all are trusted proxies
            ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),  # the peer is no trusted proxy
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", ["nonsense"], "10.0.0.1"),
            ("10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
            ("::1", ["203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ],
    )
    async def test_client_is_the_rightmost_address_that_is_no_trusted_proxy(
        self, peer: str, forwarded: list[str], client: str
    ) -> None:
        app = ForwardedHeaders(echo, trusted_proxies=["10.0.0.0/8", "::1"])
        headers = [("X-Forwarded-For", value) for value in forwarded]
        assert (await asking(app, peer=peer).get("/", headers=headers)).headers["x-client"] == client

    async def test_header_is_ignored_without_trusted_proxies(self) -> None:
        response = await asking(ForwardedHeaders(echo, trusted_proxies=[])).get(
            "/", headers={"X-Forwarded-For": "1.1.1.1"}
        )
        assert response.headers["x-client"] == "192.0.2.1"

    async def test_other_forwarded_headers_are_ignored(self) -> None:
        app = FastAPI()

        @app.get("/")
        async def url(request: Request) -> str:
            return str(request.url)

        app.add_middleware(ForwardedHeaders, trusted_proxies=["192.0.2.1"])
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "Forwarded": "proto=https;host=evil"}
        assert (await asking(app).get("/", headers=headers)).json() == "http://small/"

    def test_trusted_proxy_that_is_no_network_raises(self) -> None:
        with pytest.raises(ValueError, match="nonsense"):
            ForwardedHeaders(echo, trusted_proxies=["nonsense"])


def log_line(record: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(JSONLines().format(record))
    return line
