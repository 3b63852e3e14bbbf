"""Bots and people at all services in turn, and a stranger who makes up kids all the while."""

import asyncio
import base64
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from tests.reliability.declared import BOT, PEOPLE
from tests.reliability.outcome import Findings
from tests.reliability.person import basic, bearer, rotation
from tests.reliability.service import Service
from tests.reliability.two_of_each import TwoOfEach
from tests.reliability.wire import Answer, Unanswered, Wire
from tests.support.relying_party import header_of

_PAUSE = 0.02
"""Seconds that each of them rests, so that what is measured is the keys and not the machine's end."""


class Traffic:
    """Nothing that is asked here may fail. `kids`: of the keys by which there were tokens."""

    def __init__(self, both: TwoOfEach) -> None:
        self.kids: set[str] = set()
        self._both = both
        self._requests: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        over = asyncio.Event()
        loops = [asyncio.create_task(self._stranger(over))]
        for first in range(2):
            loops += [asyncio.create_task(self._bot(over, first)), asyncio.create_task(self._person(over, first))]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*loops)

    def tell(self, findings: Findings) -> None:
        findings.promise("not one request fails", not self._failures, self._failures)
        findings.figures.append(f"{sum(self._requests.values()):,} requests, tokens by {len(self.kids)} keys")

    async def _bot(self, over: asyncio.Event, first: int) -> None:
        auths, apis = cycle(self._wires(self._both.auths, first)), cycle(self._wires(self._both.apis))
        form = {"grant_type": "client_credentials"}
        while not over.is_set():
            tokens = await self._ask("client_credentials", next(auths).post("/token", form, basic(BOT)))
            if tokens is not None:
                await self._use(tokens["access_token"], next(apis))
            await asyncio.sleep(_PAUSE)

    async def _person(self, over: asyncio.Event, first: int) -> None:
        auths, apis = self._wires(self._both.auths, first), cycle(self._wires(self._both.apis, first))
        person = self._both.site.person(PEOPLE[first], port=auths[0].port)
        await person.sign_in()
        tokens = await person.tokens()
        for here, there in cycle((auths, auths[::-1])):
            asked = person.elsewhere(here).client_post("/token", rotation(tokens["refresh_token"]))
            fresh = await self._ask("refresh", asked)
            if fresh is not None:
                tokens = fresh
                await self._use(tokens["access_token"], next(apis))
                await self._ask("userinfo", there.get("/userinfo", bearer(tokens["access_token"])))
            await asyncio.sleep(_PAUSE)
            if over.is_set():
                return

    async def _use(self, access_token: str, api: Wire) -> None:
        self.kids.add(header_of(access_token)["kid"])
        await self._ask("whoami", api.get("/whoami", bearer(access_token)))

    async def _stranger(self, over: asyncio.Event) -> None:
        """Each of these makes an API ask for the keys, as far as strangers can: at most once in its cooldown."""
        apis = self._wires(self._both.apis)
        while not over.is_set():
            for api in apis:
                kid = secrets.token_urlsafe(32)
                header = base64.urlsafe_b64encode(f'{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}'.encode()).decode()
                asked = api.get("/whoami", bearer(f"{header.rstrip('=')}.e30.{'A' * 86}"))
                await self._ask("a made-up kid", asked, status=401)
            await asyncio.sleep(5 * _PAUSE)

    async def _ask(self, what: str, asked: Awaitable[Answer], *, status: int = 200) -> dict[str, Any] | None:
        """What was answered, if it was well."""
        self._requests[what] += 1
        try:
            answer = await asked
        except Unanswered as lost:
            self._failures[f"{what}: {lost}"] += 1
            return None
        if answer.status != status:
            self._failures[f"{what}: {answer}"] += 1
            return None
        return answer.json()

    def _wires(self, services: list[Service], first: int = 0) -> list[Wire]:
        """One to each, in turn from the `first` on."""
        return [self._both.site.wire(service.port) for service in services[first:] + services[:first]]
