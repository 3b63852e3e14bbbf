"""PostgreSQL is killed or frozen under load, is away for a while, and comes back; nothing of ours is restarted."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from tests.reliability.declared import APP, PEOPLE
from tests.reliability.ledger import compare, compare_store
from tests.reliability.load import Load
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, basic, bearer, redemption, rotation
from tests.reliability.service import PATIENCE, Service
from tests.reliability.site import Site
from tests.reliability.wire import Wire
from tests.support.postgres import PostgreSQL

ENGINES = ("postgresql",)


KILLED, SILENT = 2.0, 4.0
"""Seconds within which those who need the store are told. One that is silent costs a request its deadline of 1.5 s, and
once in a few seconds another one for the keys."""


@dataclass(frozen=True)
class Size:
    """`away`: seconds. A test does not judge time."""

    times: int
    away: float
    judges_time: bool


QUICK = Size(times=1, away=1.0, judges_time=False)
FULL = Size(times=6, away=5.0, judges_time=True)


async def run(site: Site, size: Size) -> Outcome:
    """The site has a server of its own, for others would not like to see theirs killed."""
    assert site.postgresql is not None
    findings = Findings()
    auth, api = site.auth_service("--workers", "2"), site.resource_service()
    await auth.start()
    await api.start()
    load = Load(site, findings)
    await load.prepare()
    person = site.person(PEOPLE[-1])
    await person.sign_in()
    probes = _Probes(site, api, person, findings)
    await probes.prepare()
    recoveries = []
    for go_away, come_back, limit in islice(cycle(_ways_to_be_away(site.postgresql)), size.times):
        load.begin()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(go_away)
        end = time.monotonic() + size.away
        while time.monotonic() < end:
            await probes.while_away(limit if size.judges_time else None)
        await asyncio.to_thread(come_back)
        recoveries.append(await _seconds_until_ready(site))
        await asyncio.sleep(0.5)  # the load meets the store that is back
        await load.end()
        await compare(load.ledger, site, findings)
        load.ledger.settle()
    compare_store(site, findings)
    for what, seconds in probes.slowest.items():
        findings.figures.append(f"of a store {what}: 503 after {seconds:.1f} s at most")
    findings.figures.append(f"ready {max(recoveries):.1f} s at most after PostgreSQL answers again")
    findings.figures.append(", ".join(f"{count:,} {what}" for what, count in sorted(load.counts.items())))
    return findings.outcome(
        "PostgreSQL away",
        f"{size.times} times under load for {size.away:.0f} s: kill -9, immediate stop, SIGSTOP in turn",
    )


Way = tuple[Callable[[], None], Callable[[], None], float]


def _ways_to_be_away(postgresql: PostgreSQL) -> list[Way]:
    """How to go, how to come back, and the seconds within which those who need it are told."""
    return [
        (postgresql.kill, postgresql.start, KILLED),
        (partial(postgresql.kill, signal.SIGQUIT), postgresql.start, KILLED),
        (postgresql.freeze, postgresql.thaw, SILENT),
    ]


class _Probes:
    """What is asked while the store is away, all at once, each on a connection of its own."""

    def __init__(self, site: Site, api: Service, person: Person, findings: Findings) -> None:
        self.slowest: dict[str, float] = {}
        self._person = person
        self._findings = findings
        self._wires: dict[str, Wire] = defaultdict(site.wire)
        self._api_wire = site.wire(api.port)
        self._tokens: dict[str, str] = {}
        self._live = ""

    async def prepare(self) -> None:
        # Of another family: an attempt to revoke that is answered 503 may have got through when the store went away.
        self._tokens, self._live = await self._person.tokens(), (await self._person.tokens())["access_token"]
        answer = await self._api_wire.get("/whoami", bearer(self._live))
        self._findings.promise(_BELIEVES, answer.status == 200, answer)

    async def while_away(self, answers_within: float | None) -> None:
        await asyncio.gather(self._what_needs_it(answers_within), self._what_does_not())

    async def _what_needs_it(self, answers_within: float | None) -> None:
        access_token, refresh_token = self._tokens["access_token"], self._tokens["refresh_token"]
        code = redemption(APP, "a code that nobody was ever given")
        answers = await asyncio.gather(
            self._person.authorize(),
            self._wires["token"].post("/token", rotation(refresh_token), _APP),
            self._wires["code"].post("/token", code, _APP),
            self._wires["introspect"].post("/introspect", {"token": access_token}, _APP),
            self._wires["revoke"].post("/revoke", {"token": refresh_token}, _APP),
            self._wires["userinfo"].get("/userinfo", bearer(access_token)),
            self._wires["ready"].get("/readyz"),
        )
        for answer in answers:
            is_put_off = answer.status == 503 and "retry-after" in answer.headers
            self._findings.promise("what needs the store answers 503 with Retry-After, /readyz too", is_put_off, answer)
            if answers_within is not None:
                what = "that was killed" if answers_within <= KILLED else "that is silent"
                words = f"and, of a store {what}, within {answers_within:.0f} s"
                self._findings.promise(words, answer.seconds <= answers_within, f"{answer.seconds:.2f} s")
                self.slowest[what] = max(self.slowest.get(what, 0.0), answer.seconds)

    async def _what_does_not(self) -> None:
        for path in ("/jwks", "/.well-known/openid-configuration", "/healthz"):
            answer = await self._wires["open"].get(path)
            self._findings.promise("/jwks, the metadata and /healthz go on", answer.status == 200, answer)
        answer = await self._api_wire.get("/notes", bearer(self._live))
        self._findings.promise(_BELIEVES, answer.status == 200, answer)


_BELIEVES = "the API goes on believing live tokens"
_APP = basic(APP)


async def _seconds_until_ready(site: Site) -> float:
    begin = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while (await site.wire().get("/readyz")).status != 200:  # noqa: ASYNC110 - asking is the only way to know
            await asyncio.sleep(0.02)
    return time.monotonic() - begin
