"""A client that disconnects causes no error."""

import logging

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from tallystick_service.asgi import ServerErrors


async def test_client_that_disconnects_during_its_body_leaves_no_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def reads_the_body(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def hang_up() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with caplog.at_level(logging.DEBUG):
        scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
        await ServerErrors(reads_the_body)(scope, hang_up, send)
    assert (sent, caplog.records) == ([], [])
