"""200 at once redeem one code, and 200 at once refresh one token, at two processes on one store."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from bench.processes import free_port
from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, redemption, rotation
from tests.reliability.site import Site
from tests.reliability.wire import Answer

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    rounds: int
    at_once: int


QUICK = Size(rounds=2, at_once=100)
FULL = Size(rounds=10, at_once=200)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    here, there = site.auth_service(), site.auth_service(port=free_port())
    await here.start()
    await there.start()
    person = site.person(PEOPLE[0])
    await person.sign_in()
    crowd = [site.person(PEOPLE[0], port=(here, there)[number % 2].port) for number in range(size.at_once)]
    await asyncio.gather(*(member.wire.get("/healthz") for member in crowd))  # so that all are connected
    outcomes: Counter[str] = Counter()
    for _ in range(size.rounds):
        await _redeem(person, crowd, findings, outcomes)
        await _refresh(person, crowd, findings, outcomes)
    findings.figures.append(", ".join(f"{count:,} {what}" for what, count in sorted(outcomes.items())))
    return findings.outcome(
        "one code, one refresh token, many at once",
        f"{size.at_once} simultaneous redemptions of one code and as many refreshes of one token, at two processes; "
        f"{size.rounds} times",
    )


async def _redeem(person: Person, crowd: list[Person], findings: Findings, outcomes: Counter[str]) -> None:
    form = redemption(person.client_id, await person.code())
    answers = await asyncio.gather(*(member.client_post("/token", form) for member in crowd))
    counted = _counted(answers, findings)
    outcomes.update({f"redemptions answered {status}": count for status, count in counted.items()})
    good = [answer.json() for answer in answers if answer.status == 200]
    findings.promise("a code works at most once", len(good) <= 1, counted)
    for tokens in good:
        # Whoever was refused as a replay ended what the code gave (RFC 6749 §4.1.2).
        is_active = await person.is_active(tokens["access_token"])
        findings.promise("what it gave is dead, since it was replayed", not is_active or not counted[400], counted)


async def _refresh(person: Person, crowd: list[Person], findings: Findings, outcomes: Counter[str]) -> None:
    token = (await person.tokens())["refresh_token"]
    form = rotation(token)
    answers = await asyncio.gather(*(member.client_post("/token", form) for member in crowd))
    counted = _counted(answers, findings)
    outcomes.update({f"refreshes answered {status}": count for status, count in counted.items()})
    successors = {answer.json()["refresh_token"] for answer in answers if answer.status == 200}
    findings.promise("all who refresh get one and the same successor", len(successors) == 1, len(successors))
    findings.promise("nobody who refreshes is refused", set(counted) <= {200, 503}, counted)
    for successor in successors:
        again = await person.refresh(successor)
        findings.promise("the successor works", bool(again), again)


def _counted(answers: list[Answer], findings: Findings) -> Counter[int]:
    counted = Counter(answer.status for answer in answers)
    findings.promise("an answer is success, invalid_grant or 503", set(counted) <= {200, 400, 503}, counted)
    return counted
