"""Simulated back-channel logout endpoints of clients."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import httpx

from tests.support.declared import clients_with
from tests.support.relying_party import claims_of, header_of
from tests.support.waiting import until

LISTENING = ("app-one", "app-two", "third-party")
HOSTS = tuple(f"{client_id}.example.org" for client_id in LISTENING)
"""The hosts of their back-channel logout endpoints."""

Answer = int | Callable[[], Awaitable[int]]


def listening_clients(*client_ids: str) -> list[dict[str, object]]:
    """Return the declared clients; these, or LISTENING, have a back-channel logout endpoint. app-two uses RS256."""
    return clients_with(
        {
            client_id: {
                "backchannel_logout_uri": f"https://{client_id}.example.org/backchannel",
                "id_token_signed_response_alg": "RS256" if client_id == "app-two" else "ES256",
            }
            for client_id in client_ids or LISTENING
        }
    )


class LogoutReceivers(httpx.AsyncBaseTransport):
    """A transport. `answers` maps a host to a status or to a function that returns one; other hosts answer 204."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: dict[str, list[httpx.Request]] = defaultdict(list)
        self.now_at: Counter[str] = Counter()
        self.max_at: Counter[str] = Counter()
        """The concurrent requests to a host: the current number and the maximum."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        await request.aread()
        self.requests[host].append(request)
        self.now_at[host] += 1
        self.max_at[host] = max(self.max_at[host], self.now_at[host])
        try:
            answer = self.answers.get(host, 204)
            return httpx.Response(answer if isinstance(answer, int) else await answer())
        finally:
            self.now_at[host] -= 1

    def tokens(self, host: str) -> list[str]:
        """Return the logout tokens. Each request must be a form with one logout token and nothing else."""
        tokens = []
        for request in self.requests[host]:
            assert request.headers["content-type"] == "application/x-www-form-urlencoded"
            form = parse_qs(request.content.decode(), strict_parsing=True)
            ((name, (token,)),) = form.items()
            assert name == "logout_token"
            assert header_of(token)["typ"] == "logout+jwt"
            tokens.append(token)
        return tokens

    def sids(self, host: str) -> list[str]:
        return [claims_of(token)["sid"] for token in self.tokens(host)]

    async def told(self, host: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait for this number of requests; return the claims of their tokens."""
        await until(lambda: len(self.requests[host]) >= times)
        return [claims_of(token) for token in self.tokens(host)]


async def never() -> int:
    """Never answer the request."""
    await asyncio.Event().wait()
    return 0
