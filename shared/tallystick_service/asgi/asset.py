"""A static file, served from memory."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 64 * 1024


def asset_endpoint(path: Path, headers: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for GET. The file is read now, and once in a process.

    Its ETag answers If-None-Match with 304 (RFC 9110 §13.1.2).
    """
    content, etag = _content(path)
    media_type, _ = guess_type(path.name)
    headers_with_etag = {**headers, "etag": etag}

    async def asset(request: Request) -> Response:
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if etag in known or "*" in known:
            return Response(status_code=304, headers=headers_with_etag)
        return _BufferResponse(content, headers=headers_with_etag, media_type=media_type)

    return asset


@cache
def _content(path: Path) -> tuple[bytes, str]:
    """The file and its ETag."""
    content = path.read_bytes()
    return content, f'"{sha256(content).hexdigest()[:32]}"'


class _BufferResponse(Response):
    """Sends slices of one shared buffer, each when the peer has read enough of the slices before.

    A peer that does not read costs no memory, because the slice that waits for it is a view on the shared bytes.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        content = memoryview(self.body)
        for start in range(0, len(content), _CHUNK):
            chunk = content[start : start + _CHUNK]
            await send({"type": "http.response.body", "body": chunk, "more_body": start + _CHUNK < len(content)})
