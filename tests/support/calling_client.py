"""The far side of `tallystick.client`: a token endpoint and an API, without a socket."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tallystick.client import ClientCredentials
from tests.support.patience import PATIENCE

ISSUER = "https://id.example.com"
TOKEN_ENDPOINT = f"{ISSUER}/token"
API = "https://api.example.com"
SECRET = "the secret of the bot: 100% + long enough"
INVALID_TOKEN = {"WWW-Authenticate": 'Bearer realm="notes", error="invalid_token", error_description="revoked"'}
OTHER_TOKEN = {"WWW-Authenticate": 'Bearer realm="error=\\"invalid_token\\"", error="insufficient_user_authentication"'}


class Seconds:
    """A clock for ClientCredentials that moves only when a test calls `advance`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TokenServer:
    """Issues token-1, token-2, … `answers` are given first, in their order.

    While `gate` is cleared, token requests wait. `metadata` is what `/.well-known/` answers.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        self.changes: dict[str, object] = {}
        self.issued = 0
        self.metadata: Mapping[str, object] = {"issuer": ISSUER, "token_endpoint": TOKEN_ENDPOINT}
        self.gate = threading.Event()
        self.gate.set()
        self.transport = httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if "/.well-known/" in request.url.path:
            return httpx.Response(200, json=self.metadata)
        self.requests.append(request)
        while not self.gate.is_set():  # noqa: ASYNC110 - the tests open the gate from another thread
            await asyncio.sleep(0.005)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.issued += 1
        body = {"access_token": f"token-{self.issued}", "token_type": "Bearer", "expires_in": 300, **self.changes}
        return httpx.Response(200, json={name: value for name, value in body.items() if value is not None})


class Api:
    """Answers with `answer`, which gets the token of the request. `tokens` are those of all requests."""

    def __init__(self, answer: Callable[[str], httpx.Response] | None = None) -> None:
        self.tokens: list[str] = []
        self.bodies: list[bytes] = []
        self.answer = answer or (lambda _: httpx.Response(200))
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.append(token)
        self.bodies.append(request.content)
        return self.answer(token)


def credentials(server: TokenServer, **changes: Any) -> ClientCredentials:
    """Good settings with changes."""
    good: dict[str, Any] = {
        "token_endpoint": TOKEN_ENDPOINT,
        "client_id": "bot",
        "client_secret": SECRET,
        "scope": "notes:read",
        "resource": API,
        "timeout": PATIENCE,
        "transport": server.transport,
    }
    return ClientCredentials(**(good | changes))
