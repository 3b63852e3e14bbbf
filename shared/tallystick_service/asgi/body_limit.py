"""A limit on the size of request bodies."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BODY = b'{"error":"invalid_request","error_description":"the body is too large"}'
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_BODY)).encode()),
    (b"connection", b"close"),  # the rest of the body is not read
]


class BodyLimit:
    """Answer 413 to a body of more than `limit` bytes, before reading it when Content-Length is larger."""

    def __init__(self, app: ASGIApp, *, limit: int = 65536) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_chunked = False
        for name, value in scope["headers"]:
            if name == b"content-length" and not self._allows(value):
                await _refuse(send)
                return
            is_chunked = is_chunked or name == b"transfer-encoding"
        if is_chunked:
            await self._count(scope, receive, send)
        else:
            await self._app(scope, receive, send)  # the server reads no more than Content-Length

    def _allows(self, content_length: bytes) -> bool:
        return content_length.isdigit() and len(content_length) < 20 and int(content_length) <= self._limit

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For a body that exceeds the limit, the application sees that the client has disconnected."""
        seen = 0
        has_started = is_refused = False

        async def counting_receive() -> Message:
            nonlocal seen, is_refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen <= self._limit:
                return message
            if not (is_refused or has_started):
                await _refuse(send)
            is_refused = True
            return {"type": "http.disconnect"}

        async def send_unless_refused(message: Message) -> None:
            nonlocal has_started
            if not is_refused:
                has_started = True
                await send(message)

        try:
            await self._app(scope, counting_receive, send_unless_refused)
        except Exception:
            if not is_refused:
                raise


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": list(_HEADERS)})
    await send({"type": "http.response.body", "body": _BODY})
