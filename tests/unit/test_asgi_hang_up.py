"""A caller who hangs up is no error of ours."""

import logging

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from tallystick_service.asgi import ServerErrors


async def test_who_hangs_up_before_the_body_is_through_leaves_no_line_in_the_log(
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
