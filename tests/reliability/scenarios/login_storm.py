"""64 users log in at the same time while tokens are refreshed and verified: how much longer do other clients wait?"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.login_crowd import LoginCrowd
from tests.reliability.raw_http import NoResponse, RawHTTPClient
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT
from tests.reliability.user_agent import UnexpectedResponse, bearer

ENGINES = ("sqlite", "postgresql")
T = TypeVar("T")
MAX_RATIO = 5.0
"""The maximum ratio of the p99 of other clients during the logins to their p99 without logins."""

KINDS = ("refresh", "verify")
"""What the other clients do."""
MIN_RESPONSES = 2
"""Of each kind in each phase, so that there is a quantile. On a busy machine a short phase has none."""


@dataclass(frozen=True)
class Size:
    """`logins` at once, `storms` times, each after `quiet` seconds without logins. A quick run does not judge time."""

    logins: int
    storms: int
    quiet: float
    judges_time: bool


QUICK = Size(logins=64, storms=1, quiet=0.3, judges_time=False)
FULL = Size(logins=64, storms=5, quiet=2.0, judges_time=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    await deployment.run_auth_services()
    (api,) = await deployment.run_apis()
    clients = _OtherClients(deployment, deployment.client(api.port), report)
    await clients.prepare()
    statuses: Counter[int] = Counter()
    seconds = 0.0
    async with LoginCrowd.start(deployment, size.logins) as crowd:
        for _ in range(size.storms):
            await clients.measure(asyncio.sleep(size.quiet), phase="quiet")
            await crowd.step()
            begin = time.perf_counter()
            statuses += await clients.measure(crowd.step(), phase="storm")
            seconds += time.perf_counter() - begin
    report.check("each login succeeds or is answered 503", set(statuses) <= {303, 503}, dict(statuses))
    report.check("some logins succeed", statuses[303] > 0, dict(statuses))
    for kind in KINDS:
        quiet, storm = _p99(clients.seconds["quiet", kind]), _p99(clients.seconds["storm", kind])
        ratio = storm / quiet
        report.figures.append(
            f"{kind}: p99 {quiet * 1000:.1f} ms quiet, {storm * 1000:.1f} ms in the storm, {ratio:.1f} times"
        )
        if size.judges_time:
            sentence = f"the p99 of other clients stays within {MAX_RATIO:.0f} times"
            report.check(sentence, ratio <= MAX_RATIO, f"{kind}: {ratio:.1f}")
    report.figures.append(f"{statuses[303] / seconds:.0f} logins a second, {statuses[503]} answered 503")
    return report.outcome(
        "a login storm", f"{size.logins} logins at once, {size.storms} times, while tokens are refreshed and verified"
    )


class _OtherClients:
    """Two clients refresh tokens and one calls the API, one request after the other."""

    def __init__(self, deployment: Deployment, api: RawHTTPClient, report: Report) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = {}
        self._users = [deployment.user_agent(email) for email in EMAILS[-2:]]
        self._api = api
        self._report = report
        self._tokens: list[dict[str, str]] = []

    async def prepare(self) -> None:
        for user in self._users:
            await user.sign_in()
            self._tokens.append(await user.tokens())

    async def measure(self, meanwhile: Awaitable[T], *, phase: str) -> T:
        tasks = [asyncio.create_task(self._refresh(index, phase)) for index in range(len(self._users))]
        tasks.append(asyncio.create_task(self._verify(phase)))
        result = await meanwhile
        async with asyncio.timeout(WAIT_TIMEOUT):
            while any(len(self.seconds.get((phase, kind), ())) < MIN_RESPONSES for kind in KINDS):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return result

    async def _refresh(self, index: int, phase: str) -> None:
        while True:
            begin = time.perf_counter()
            try:
                self._tokens[index] = await self._users[index].refresh(self._tokens[index]["refresh_token"])
            except (UnexpectedResponse, NoResponse) as error:
                self._report.check("other clients are served", False, error)
            else:
                self._report.check("other clients are served", True)
            self.seconds.setdefault((phase, "refresh"), []).append(time.perf_counter() - begin)
            await asyncio.sleep(0.005)

    async def _verify(self, phase: str) -> None:
        while True:
            response = await self._api.get("/whoami", bearer(self._tokens[0]["access_token"]))
            self._report.check("other clients are served", response.status == 200, response)
            self.seconds.setdefault((phase, "verify"), []).append(response.seconds)
            await asyncio.sleep(0.005)


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]
