"""The last error handler: an uncaught error is logged with its traceback and answered without details."""

import json
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.errors import OAuthError, TemporarilyUnavailable

logger = logging.getLogger(__name__)


class ServerErrors:
    """Answer 500, or 503 with Retry-After for TemporarilyUnavailable, as JSON in the form of RFC 6749 §5.2.

    A refusal that an exception handler of the service renders does not reach this class. When the response has started,
    the error is raised to the server, which closes the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def watching_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watching_send)
        except ClientDisconnect:
            pass  # the client disconnected before its body was complete: no response and no log line
        except Exception as error:
            if not isinstance(error, OAuthError):
                logger.exception("unexpected error")
            if has_started:
                raise
            await _answer(send, error)


async def _answer(send: Send, error: Exception) -> None:
    content = {"error": "server_error"}
    status = 500
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if isinstance(error, OAuthError) and error.error:
        content = {"error": error.error, "error_description": error.description}
        status = error.status
    if isinstance(error, TemporarilyUnavailable):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    body = json.dumps(content).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
