"""Clients that write without a pause, record what was acknowledged, and report responses that no client should see."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from tests.reliability.configuration import EMAILS, PASSWORD, THIRD_PARTIES
from tests.reliability.deployment import Deployment
from tests.reliability.history import History, RedeemedCode, RotatedFamily
from tests.reliability.raw_http import NoResponse
from tests.reliability.report import Report
from tests.reliability.user_agent import UnexpectedResponse, UserAgent

_PAUSE = 0.02
"""Seconds that a client waits before it tries again."""
_FAMILIES = 6

EXPECTED_RESPONSES = "clients see success, 503 with Retry-After, or a closed connection; nothing else"


class Workload:
    """Six token families are rotated; two clients each redeem codes, revoke tokens and ask for consent."""

    def __init__(self, deployment: Deployment, report: Report) -> None:
        self.history = History()
        self.counts: Counter[str] = Counter()
        self._deployment = deployment
        self._report = report
        self._user_agents: list[UserAgent] = []
        self._consenting: list[list[UserAgent]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def figure(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()))

    async def prepare(self) -> None:
        """Sign in all users."""
        for email in EMAILS[: _FAMILIES + 6]:
            user_agent = self._deployment.user_agent(email)
            await user_agent.sign_in()
            self._user_agents.append(user_agent)
        rotating, self._user_agents = self._user_agents[:_FAMILIES], self._user_agents[_FAMILIES:]
        self.history.families = [
            RotatedFamily(user_agent, [(await user_agent.tokens())["refresh_token"]]) for user_agent in rotating
        ]
        self._consenting = [
            [user_agent.for_client(client_id) for client_id in THIRD_PARTIES] for user_agent in self._user_agents[4:]
        ]

    def begin(self) -> None:
        redeeming, revoking = self._user_agents[:2], self._user_agents[2:4]
        actions: list[Callable[[], Awaitable[None]]] = []
        actions += [partial(self._rotate, family) for family in self.history.families]
        actions += [partial(self._redeem, user_agent) for user_agent in redeeming]
        actions += [partial(self._revoke, user_agent) for user_agent in revoking]
        actions += [partial(self._consent, user_agents) for user_agents in self._consenting]
        self._tasks = [asyncio.create_task(self._repeat(action)) for action in actions]

    async def end(self) -> None:
        """Cancel all requests. Codes whose response is lost are in the history as unanswered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def add_user(self) -> None:
        """Add a user by command. The command may fail while the store is unavailable."""
        email = f"new-user-{random.getrandbits(48)}@example.com"
        try:
            await self._deployment.command("user", "add", email, "--password-stdin", stdin=PASSWORD)
        except RuntimeError:
            return
        self.history.users.append(email)
        self.counts["users added"] += 1

    async def _repeat(self, action: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await action()
            except NoResponse:
                self.counts["closed connections"] += 1
                await asyncio.sleep(_PAUSE)
            except UnexpectedResponse as error:
                self.counts["answered 503"] += 1
                if not error.response.is_unavailable:
                    self._report.check(EXPECTED_RESPONSES, False, error)
                await asyncio.sleep(_PAUSE)
            else:
                self._report.check(EXPECTED_RESPONSES, True)

    async def _rotate(self, family: RotatedFamily) -> None:
        tokens = family.refresh_tokens
        tokens.append((await family.user_agent.refresh(tokens[-1]))["refresh_token"])
        del tokens[:-2]
        self.counts["rotations"] += 1

    async def _redeem(self, user_agent: UserAgent) -> None:
        code = await user_agent.code()
        unanswered = RedeemedCode(user_agent, code)
        self.history.unanswered.append(unanswered)
        tokens = await user_agent.redeem(code)
        self.history.unanswered.remove(unanswered)
        self.history.redeemed.append(RedeemedCode(user_agent, code, tokens["access_token"]))
        self.counts["codes redeemed"] += 1
        await asyncio.sleep(_PAUSE)

    async def _revoke(self, user_agent: UserAgent) -> None:
        tokens = await user_agent.tokens()
        await user_agent.revoke(tokens["refresh_token"])
        self.history.revoked.append((user_agent, tokens["access_token"], tokens["refresh_token"]))
        self.counts["revocations"] += 1
        await asyncio.sleep(_PAUSE)

    async def _consent(self, user_agents: list[UserAgent]) -> None:
        """Allow the next third-party client; each element is the same browser with another client."""
        if not user_agents:
            await asyncio.sleep(1)
            return
        user_agent = user_agents[-1]
        page = await user_agent.authorize()
        if page.status == 200:
            page = await user_agent.submit(page, decision="allow")
            if page.status == 303:
                self.history.consents.append(user_agent)
                self.counts["consents"] += 1
        if page.status != 303:
            raise UnexpectedResponse(page)
        user_agents.pop()
        await asyncio.sleep(0.2)
