"""Requests to all replicas while keys change, and tokens with invented key IDs."""

import asyncio
import base64
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from tests.reliability.configuration import BOT, EMAILS
from tests.reliability.deployment import Deployment, Replicas
from tests.reliability.raw_http import NoResponse, RawHTTPClient, RawResponse
from tests.reliability.report import Report
from tests.reliability.service import Service
from tests.reliability.user_agent import basic, bearer, refresh_grant
from tests.support.relying_party import header_of


class KeyTraffic:
    """No request may fail. `kids`: the key IDs of all tokens that were issued."""

    def __init__(self, deployment: Deployment, replicas: Replicas, *, pause: float) -> None:
        """`pause`: seconds between two requests of each client."""
        self.kids: set[str] = set()
        self._deployment = deployment
        self._replicas = replicas
        self._pause = pause
        self._requests: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._send_unknown_kids(stop))]
        for first in range(2):
            tasks.append(asyncio.create_task(self._use_client_credentials(stop, first)))
            tasks.append(asyncio.create_task(self._use_refresh_tokens(stop, first)))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    def summarize(self, report: Report) -> None:
        report.check("no request fails", not self._failures, self._failures)
        report.figures.append(f"{sum(self._requests.values()):,} requests, tokens of {len(self.kids)} keys")

    async def _use_client_credentials(self, stop: asyncio.Event, first: int) -> None:
        clients = self._clients(self._replicas.auths, first)
        auths, apis = cycle(clients), cycle(self._clients(self._replicas.apis))
        form = {"grant_type": "client_credentials"}
        while not stop.is_set():
            tokens = await self._expect("client_credentials", next(auths).post("/token", form, basic(BOT)))
            if tokens is not None:
                await self._call_api(tokens["access_token"], next(apis))
                for each in clients:
                    await self._introspect(tokens["access_token"], each)
            await asyncio.sleep(self._pause)

    async def _use_refresh_tokens(self, stop: asyncio.Event, first: int) -> None:
        auths, apis = self._clients(self._replicas.auths, first), cycle(self._clients(self._replicas.apis, first))
        user_agent = self._deployment.user_agent(EMAILS[first], port=auths[0].port)
        await user_agent.sign_in()
        tokens = await user_agent.tokens()
        for one, other in cycle((auths, auths[::-1])):
            refresh = user_agent.through(one).client_post("/token", refresh_grant(tokens["refresh_token"]))
            refreshed = await self._expect("refresh", refresh)
            if refreshed is not None:
                tokens = refreshed
                await self._call_api(tokens["access_token"], next(apis))
                await self._expect("userinfo", other.get("/userinfo", bearer(tokens["access_token"])))
            await asyncio.sleep(self._pause)
            if stop.is_set():
                return

    async def _call_api(self, access_token: str, api: RawHTTPClient) -> None:
        self.kids.add(header_of(access_token)["kid"])
        await self._expect("whoami", api.get("/whoami", bearer(access_token)))

    async def _introspect(self, access_token: str, auth: RawHTTPClient) -> None:
        response = await self._expect("introspection", auth.post("/introspect", {"token": access_token}, basic(BOT)))
        if response is not None and response["active"] is not True:
            self._failures["introspection: the token is not active"] += 1

    async def _send_unknown_kids(self, stop: asyncio.Event) -> None:
        """An API may fetch the keys for an unknown key ID, at most once in its cooldown. This uses the cooldown up."""
        apis = self._clients(self._replicas.apis)
        while not stop.is_set():
            for api in apis:
                kid = secrets.token_urlsafe(32)
                header = base64.urlsafe_b64encode(f'{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}'.encode()).decode()
                request = api.get("/whoami", bearer(f"{header.rstrip('=')}.e30.{'A' * 86}"))
                await self._expect("an unknown kid", request, status=401)
            await asyncio.sleep(5 * self._pause)

    async def _expect(self, name: str, request: Awaitable[RawResponse], *, status: int = 200) -> dict[str, Any] | None:
        """Return the JSON of the response. None for a failure, which is counted."""
        self._requests[name] += 1
        try:
            response = await request
        except NoResponse as error:
            self._failures[f"{name}: {error}"] += 1
            return None
        if response.status != status:
            self._failures[f"{name}: {response}"] += 1
            return None
        return response.json()

    def _clients(self, services: list[Service], first: int = 0) -> list[RawHTTPClient]:
        """Return a client of each service, beginning with the one at index `first`."""
        return [self._deployment.client(service.port) for service in services[first:] + services[:first]]
