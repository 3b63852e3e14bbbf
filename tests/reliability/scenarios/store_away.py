"""PostgreSQL is killed or frozen under load, is unavailable for a while and returns; no service is restarted."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from tests.reliability.configuration import APP, EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.history import check_history, check_store
from tests.reliability.raw_http import RawHTTPClient
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT, Service
from tests.reliability.user_agent import UserAgent, basic, bearer, code_grant, refresh_grant
from tests.reliability.workload import Workload
from tests.support.postgres import PostgreSQL

ENGINES = ("postgresql",)

KILLED, FROZEN = "killed", "frozen"
MAX_SECONDS = {KILLED: 2.0, FROZEN: 4.0}
"""Until a request that needs the store is answered. With a frozen store a request waits for its deadline of 1.5 s, and
every few seconds one request waits for a second one, which the keys need."""


@dataclass(frozen=True)
class Size:
    """The store is unavailable `times` times, each time for `seconds`. A quick run does not judge time."""

    times: int
    seconds: float
    judges_time: bool


QUICK = Size(times=1, seconds=1.0, judges_time=False)
FULL = Size(times=6, seconds=5.0, judges_time=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    """The deployment needs a PostgreSQL of its own."""
    assert deployment.postgresql is not None
    report = Report()
    await deployment.run_auth_services(workers=2)
    (api,) = await deployment.run_apis()
    workload = Workload(deployment, report)
    await workload.prepare()
    user = deployment.user_agent(EMAILS[-1])
    await user.sign_in()
    probes = _Probes(deployment, api, user, report)
    await probes.prepare()
    recoveries = []
    for state, stop, restart in islice(cycle(_outages(deployment.postgresql)), size.times):
        workload.begin()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stop)
        end = time.monotonic() + size.seconds
        while time.monotonic() < end:
            await probes.check(state, judges_time=size.judges_time)
        await asyncio.to_thread(restart)
        recoveries.append(await _seconds_until_ready(deployment))
        await asyncio.sleep(0.5)  # some load with the restarted store
        await workload.end()
        await check_history(workload.history, deployment, report)
        workload.history.clear()
    check_store(deployment, report)
    for state, seconds in probes.slowest.items():
        report.figures.append(f"store {state}: 503 after {seconds:.1f} s at most")
    report.figures.append(f"ready {max(recoveries):.1f} s at most after PostgreSQL answers again")
    report.figures.append(workload.figure)
    return report.outcome(
        "PostgreSQL unavailable",
        f"{size.times} times under load for {size.seconds:g} s: kill -9, immediate stop, SIGSTOP in turn",
    )


Outage = tuple[str, Callable[[], None], Callable[[], None]]
"""KILLED or FROZEN, how to stop the store, and how to restart it."""


def _outages(postgresql: PostgreSQL) -> list[Outage]:
    return [
        (KILLED, postgresql.kill, postgresql.start),
        (KILLED, partial(postgresql.kill, signal.SIGQUIT), postgresql.start),
        (FROZEN, postgresql.freeze, postgresql.thaw),
    ]


class _Probes:
    """Requests while the store is unavailable, all at once, each on its own connection."""

    def __init__(self, deployment: Deployment, api: Service, user: UserAgent, report: Report) -> None:
        self.slowest: dict[str, float] = {}
        self._user = user
        self._report = report
        self._auth: dict[str, RawHTTPClient] = defaultdict(deployment.client)
        self._api = deployment.client(api.port)
        self._tokens: dict[str, str] = {}
        self._unrevoked = ""

    async def prepare(self) -> None:
        self._tokens = await self._user.tokens()
        # Of another family: a revocation that is answered 503 may have taken effect while the store went away.
        self._unrevoked = (await self._user.tokens())["access_token"]
        await self._check_api()

    async def check(self, state: str, *, judges_time: bool) -> None:
        await asyncio.gather(self._check_store_endpoints(state, judges_time), self._check_other_endpoints())

    async def _check_store_endpoints(self, state: str, judges_time: bool) -> None:
        access_token, refresh_token = self._tokens["access_token"], self._tokens["refresh_token"]
        app = basic(APP)
        responses = await asyncio.gather(
            self._user.authorize(),
            self._auth["token"].post("/token", refresh_grant(refresh_token), app),
            self._auth["code"].post("/token", code_grant(APP, "an unknown code"), app),
            self._auth["introspect"].post("/introspect", {"token": access_token}, app),
            self._auth["revoke"].post("/revoke", {"token": refresh_token}, app),
            self._auth["userinfo"].get("/userinfo", bearer(access_token)),
            self._auth["ready"].get("/readyz"),
        )
        for response in responses:
            sentence = "endpoints that need the store, and /readyz, answer 503 with Retry-After"
            self._report.check(sentence, response.is_unavailable, response)
            if judges_time:
                sentence = f"with a {state} store within {MAX_SECONDS[state]:.0f} s"
                self._report.check(sentence, response.seconds <= MAX_SECONDS[state], f"{response.seconds:.2f} s")
                self.slowest[state] = max(self.slowest.get(state, 0.0), response.seconds)

    async def _check_other_endpoints(self) -> None:
        for path in ("/jwks", "/.well-known/openid-configuration", "/healthz"):
            response = await self._auth["public"].get(path)
            self._report.check("/jwks, the metadata and /healthz are served", response.status == 200, response)
        await self._check_api()

    async def _check_api(self) -> None:
        response = await self._api.get("/notes", bearer(self._unrevoked))
        self._report.check("the API accepts valid tokens", response.status == 200, response)


async def _seconds_until_ready(deployment: Deployment) -> float:
    begin = time.monotonic()
    async with asyncio.timeout(WAIT_TIMEOUT):
        while (await deployment.client().get("/readyz")).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - begin
