"""What is taken back is refused by every API, under as many new tokens as can be issued meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles

from bench.processes import free_port
from tests.reliability.declared import BOT, PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, Refused, basic, bearer, redemption, rotation
from tests.reliability.service import PATIENCE, Service
from tests.reliability.site import Site
from tests.reliability.wire import Unanswered, Wire

ENGINES = ("sqlite", "postgresql")
GOAL = 5.0


@dataclass(frozen=True)
class Size:
    """`people` in each wave take something back at once; `issuing` clients get tokens as fast as they can."""

    waves: int
    people: int
    issuing: int
    judges_time: bool


QUICK = Size(waves=1, people=8, issuing=2, judges_time=False)
FULL = Size(waves=12, people=32, issuing=8, judges_time=True)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    auths = [site.auth_service()]
    if site.engine == "postgresql":
        auths.append(site.auth_service(port=free_port()))
    apis = [site.resource_service(), site.resource_service()]
    for service in (*auths, *apis):
        await service.start()
    people = [site.person(email, port=auths[number % len(auths)].port) for number, email in enumerate(PEOPLE)]
    for person in people[: size.people + 1]:
        await person.sign_in()
    neighbour = (await people[size.people].tokens())["access_token"]
    issuing = _Issuing(site, auths, apis, findings)
    seconds: list[float] = []
    async with issuing.going_on(size.issuing):
        for _ in range(size.waves):
            each = zip(people[: size.people], cycle(_WAYS))
            await asyncio.gather(*(_take_back(site, person, way, apis, seconds, findings) for person, way in each))
            for api in apis:
                answer = await site.wire(api.port).get("/whoami", bearer(neighbour))
                findings.promise("the neighbour's token lives on", answer.status == 200, answer)
    p50, p99 = quantiles(seconds, n=100)[49], quantiles(seconds, n=100)[98]
    longest = max(seconds)
    findings.figures.append(f"{len(seconds)} refusals after p50 {p50:.1f} s, p99 {p99:.1f} s, at most {longest:.1f} s")
    findings.figures.append(f"{issuing.per_second:.0f} tokens a second issued and used meanwhile")
    if size.judges_time:
        late = sum(second > GOAL for second in seconds)
        findings.promise(f"each API refuses within {GOAL:.0f} s", late == 0, f"{late} of {len(seconds)} later")
    return findings.outcome(
        "a token is taken back",
        f"{size.waves} times, {size.people} people at once sign out, revoke, replay a code or a refresh token; "
        f"{'two auth processes' if len(auths) > 1 else 'one auth process'} under load, two APIs",
    )


async def _take_back(
    site: Site, person: Person, way: "Way", apis: list[Service], seconds: list[float], findings: Findings
) -> None:
    code = await person.code()
    tokens = await person.redeem(code)
    wires = [site.wire(api.port) for api in apis]
    for wire in wires:
        answer = await wire.get("/whoami", bearer(tokens["access_token"]))
        findings.promise("a token is believed until it is taken back", answer.status == 200, answer)
    await way(person, code, tokens)
    begin = time.perf_counter()
    seconds += await asyncio.gather(*(_refused(wire, tokens["access_token"], begin, findings) for wire in wires))
    if way is _sign_out:
        await person.sign_in()


async def _refused(wire: Wire, token: str, begin: float, findings: Findings) -> float:
    """Seconds until the API says so."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await wire.get("/whoami", bearer(token))).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    told = answer.headers.get("www-authenticate", "")
    kept = answer.status == 401 and 'error="invalid_token"' in told
    findings.promise("then it is answered 401 invalid_token", kept, answer)
    return time.perf_counter() - begin


async def _sign_out(person: Person, _code: str, _tokens: dict[str, str]) -> None:
    await person.sign_out()


async def _revoke(person: Person, _code: str, tokens: dict[str, str]) -> None:
    await person.revoke(tokens["access_token"])


async def _replay_code(person: Person, code: str, _tokens: dict[str, str]) -> None:
    answer = await person.client_post("/token", redemption(person.client_id, code))
    if answer.status != 400:
        raise Refused(answer)


async def _replay_refresh_token(person: Person, _code: str, tokens: dict[str, str]) -> None:
    second = await person.refresh(tokens["refresh_token"])
    await person.refresh(second["refresh_token"])
    answer = await person.client_post("/token", rotation(tokens["refresh_token"]))
    if answer.status != 400:
        raise Refused(answer)


Way = Callable[[Person, str, dict[str, str]], Awaitable[None]]
_WAYS: tuple[Way, ...] = (_sign_out, _revoke, _replay_code, _replay_refresh_token)


class _Issuing:
    """Programs that get an access token each time they call an API, one call after the other, as fast as they can."""

    def __init__(self, site: Site, auths: list[Service], apis: list[Service], findings: Findings) -> None:
        self._site = site
        self._auths = auths
        self._apis = apis
        self._findings = findings
        self._issued = 0
        self._seconds = 0.0

    @property
    def per_second(self) -> float:
        return self._issued / self._seconds

    @asynccontextmanager
    async def going_on(self, count: int) -> AsyncIterator[None]:
        begin = time.perf_counter()
        tasks = [asyncio.create_task(self._go_on(number)) for number in range(count)]
        try:
            yield
        finally:
            self._seconds = time.perf_counter() - begin
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self, number: int) -> None:
        auth = self._site.wire(self._auths[number % len(self._auths)].port)
        api = self._site.wire(self._apis[number % len(self._apis)].port)
        while True:
            try:
                token = (await auth.post("/token", {"grant_type": "client_credentials"}, basic(BOT))).json()
                answer = await api.get("/whoami", bearer(token["access_token"]))
            except (Unanswered, KeyError) as failure:
                self._findings.promise("programs get tokens that are believed", False, failure)
            else:
                self._findings.promise("programs get tokens that are believed", answer.status == 200, answer)
                self._issued += 1
