"""Every API refuses revoked tokens while new tokens are issued as fast as possible."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles

from tests.reliability.configuration import BOT, EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import NoResponse, RawHTTPClient
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT, Service
from tests.reliability.user_agent import UnexpectedResponse, UserAgent, basic, bearer, code_grant, refresh_grant

ENGINES = ("sqlite", "postgresql")
MAX_SECONDS = 5.0
"""From the revocation until an API refuses the token."""


@dataclass(frozen=True)
class Size:
    """`users` revoke something at the same time, `waves` times, while `issuing` clients get tokens without a pause.

    A quick run does not judge time.
    """

    waves: int
    users: int
    issuing: int
    judges_time: bool


QUICK = Size(waves=1, users=8, issuing=2, judges_time=False)
FULL = Size(waves=12, users=32, issuing=8, judges_time=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    auths = await deployment.run_auth_services(2 if deployment.engine == "postgresql" else 1)
    apis = await deployment.run_apis(2)
    users = [deployment.user_agent(email, port=auths[number % len(auths)].port) for number, email in enumerate(EMAILS)]
    for user in users[: size.users + 1]:
        await user.sign_in()
    unaffected = (await users[size.users].tokens())["access_token"]
    issuing = _TokenClients(deployment, auths, apis, report)
    seconds: list[float] = []
    async with issuing.running(size.issuing):
        for _ in range(size.waves):
            pairs = zip(users[: size.users], cycle(_REVOCATIONS))
            await asyncio.gather(*(_revoke(deployment, user, way, apis, seconds, report) for user, way in pairs))
            for api in apis:
                response = await deployment.client(api.port).get("/whoami", bearer(unaffected))
                report.check("another user's token stays valid", response.status == 200, response)
    p50, p99 = quantiles(seconds, n=100)[49], quantiles(seconds, n=100)[98]
    longest = max(seconds)
    report.figures.append(f"{len(seconds)} refusals after p50 {p50:.1f} s, p99 {p99:.1f} s, at most {longest:.1f} s")
    report.figures.append(f"{issuing.per_second:.0f} tokens a second issued and used meanwhile")
    if size.judges_time:
        late = sum(second > MAX_SECONDS for second in seconds)
        report.check(f"each API refuses it within {MAX_SECONDS:.0f} s", late == 0, f"{late} of {len(seconds)} later")
    return report.outcome(
        "tokens are revoked",
        f"{size.waves} times, {size.users} users at once sign out, revoke, replay a code or replay a refresh token; "
        f"{'two auth processes' if len(auths) > 1 else 'one auth process'} under load, two APIs",
    )


async def _revoke(
    deployment: Deployment,
    user: UserAgent,
    way: "Revocation",
    apis: list[Service],
    seconds: list[float],
    report: Report,
) -> None:
    code = await user.code()
    tokens = await user.redeem(code)
    clients = [deployment.client(api.port) for api in apis]
    for http in clients:
        response = await http.get("/whoami", bearer(tokens["access_token"]))
        report.check("a token is accepted until it is revoked", response.status == 200, response)
    await way(user, code, tokens)
    begin = time.perf_counter()
    refusals = (_seconds_until_refused(http, tokens["access_token"], begin, report) for http in clients)
    seconds += await asyncio.gather(*refusals)
    if way is _sign_out:
        await user.sign_in()


async def _seconds_until_refused(api: RawHTTPClient, token: str, begin: float, report: Report) -> float:
    async with asyncio.timeout(WAIT_TIMEOUT):
        while (response := await api.get("/whoami", bearer(token))).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    challenge = response.headers.get("www-authenticate", "")
    is_refused = response.status == 401 and 'error="invalid_token"' in challenge
    report.check("then it is answered with 401 invalid_token", is_refused, response)
    return time.perf_counter() - begin


Revocation = Callable[[UserAgent, str, dict[str, str]], Awaitable[None]]
"""Takes the user, the redeemed code and the tokens that it gave."""


async def _sign_out(user: UserAgent, _code: str, _tokens: dict[str, str]) -> None:
    await user.sign_out()


async def _revoke_token(user: UserAgent, _code: str, tokens: dict[str, str]) -> None:
    await user.revoke(tokens["access_token"])


async def _replay_code(user: UserAgent, code: str, _tokens: dict[str, str]) -> None:
    response = await user.client_post("/token", code_grant(user.client_id, code))
    if response.status != 400:
        raise UnexpectedResponse(response)


async def _replay_refresh_token(user: UserAgent, _code: str, tokens: dict[str, str]) -> None:
    second = await user.refresh(tokens["refresh_token"])
    await user.refresh(second["refresh_token"])
    response = await user.client_post("/token", refresh_grant(tokens["refresh_token"]))
    if response.status != 400:
        raise UnexpectedResponse(response)


_REVOCATIONS: tuple[Revocation, ...] = (_sign_out, _revoke_token, _replay_code, _replay_refresh_token)


class _TokenClients:
    """Clients that get an access token and call an API with it, one call after the other, without a pause."""

    def __init__(self, deployment: Deployment, auths: list[Service], apis: list[Service], report: Report) -> None:
        self._deployment = deployment
        self._auths = auths
        self._apis = apis
        self._report = report
        self._count = 0
        self._seconds = 0.0

    @property
    def per_second(self) -> float:
        return self._count / self._seconds

    @asynccontextmanager
    async def running(self, count: int) -> AsyncIterator[None]:
        begin = time.perf_counter()
        tasks = [asyncio.create_task(self._repeat(number)) for number in range(count)]
        try:
            yield
        finally:
            self._seconds = time.perf_counter() - begin
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, number: int) -> None:
        auth = self._deployment.client(self._auths[number % len(self._auths)].port)
        api = self._deployment.client(self._apis[number % len(self._apis)].port)
        sentence = "clients get tokens that the APIs accept"
        while True:
            try:
                token = (await auth.post("/token", {"grant_type": "client_credentials"}, basic(BOT))).json()
                response = await api.get("/whoami", bearer(token["access_token"]))
            except (NoResponse, KeyError) as error:
                self._report.check(sentence, False, error)
            else:
                self._report.check(sentence, response.status == 200, response)
                self._count += 1
