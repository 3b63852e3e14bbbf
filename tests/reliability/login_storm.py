"""64 people log in at once while tokens are refreshed and verified: by how much do the others have to wait?"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

from tests.reliability.crowd import Crowd
from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Refused, bearer
from tests.reliability.site import Site
from tests.reliability.wire import Unanswered, Wire

ENGINES = ("sqlite", "postgresql")
T = TypeVar("T")
GOAL = 5.0
"""How many times their quiet p99 the others may have to wait at most."""


@dataclass(frozen=True)
class Size:
    """`logins` at once, `storms` times, for `quiet` seconds after as many of quiet. A test does not judge time."""

    logins: int
    storms: int
    quiet: float
    judges_time: bool


QUICK = Size(logins=64, storms=1, quiet=0.5, judges_time=False)
FULL = Size(logins=64, storms=5, quiet=2.0, judges_time=True)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    auth, api = site.auth_service(), site.resource_service()
    await auth.start()
    await api.start()
    others = _Others(site, site.wire(api.port), findings)
    await others.prepare()
    statuses: Counter[int] = Counter()
    seconds = 0.0
    async with Crowd.of(site, size.logins) as crowd:
        for _ in range(size.storms):
            await others.work(asyncio.sleep(size.quiet), into="quiet")
            await crowd.go_on()
            begin = time.perf_counter()
            statuses += await others.work(crowd.go_on(), into="storm")
            seconds += time.perf_counter() - begin
    findings.promise("each login succeeds, or is put off with Retry-After", set(statuses) <= {303, 503}, dict(statuses))
    findings.promise("some get in", statuses[303] > 0, dict(statuses))
    for kind in ("refresh", "verify"):
        quiet, storm = _p99(others.seconds["quiet", kind]), _p99(others.seconds["storm", kind])
        ratio = storm / quiet
        findings.figures.append(
            f"{kind}: p99 {quiet * 1000:.1f} ms quiet, {storm * 1000:.1f} ms in the storm, {ratio:.1f} times"
        )
        if size.judges_time:
            findings.promise(f"the others' p99 stays within {GOAL:.0f} times", ratio <= GOAL, f"{kind}: {ratio:.1f}")
    findings.figures.append(f"{statuses[303] / seconds:.0f} logins a second, {statuses[503]} put off")
    return findings.outcome(
        "a login storm", f"{size.logins} logins at once, {size.storms} times, while tokens are refreshed and verified"
    )


class _Others:
    """Two clients who refresh and two who call the API, one request after the other."""

    def __init__(self, site: Site, api: Wire, findings: Findings) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = {}
        self._people = [site.person(email) for email in PEOPLE[-2:]]
        self._site = site
        self._api = api
        self._findings = findings
        self._tokens: list[dict[str, str]] = []

    async def prepare(self) -> None:
        for person in self._people:
            await person.sign_in()
            self._tokens.append(await person.tokens())

    async def work(self, meanwhile: Awaitable[T], *, into: str) -> T:
        tasks = [asyncio.create_task(self._refresh(index, into)) for index in range(len(self._people))]
        tasks.append(asyncio.create_task(self._verify(into)))
        result = await meanwhile
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return result

    async def _refresh(self, index: int, into: str) -> None:
        while True:
            begin = time.perf_counter()
            try:
                self._tokens[index] = await self._people[index].refresh(self._tokens[index]["refresh_token"])
            except (Refused, Unanswered) as failure:
                self._findings.promise("the others are served", False, failure)
            else:
                self._findings.promise("the others are served", True)
            self.seconds.setdefault((into, "refresh"), []).append(time.perf_counter() - begin)
            await asyncio.sleep(0.005)

    async def _verify(self, into: str) -> None:
        while True:
            answer = await self._api.get("/whoami", bearer(self._tokens[0]["access_token"]))
            self._findings.promise("the others are served", answer.status == 200, answer)
            self.seconds.setdefault((into, "verify"), []).append(answer.seconds)
            await asyncio.sleep(0.005)


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]
