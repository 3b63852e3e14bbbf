"""Attacks at the login page, from one address and from many, beside honest people and clients."""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass

from tests.reliability.declared import BOT, PASSWORD, PEOPLE
from tests.reliability.login_attackers import ADDRESSES, BYTES_PER_SECOND, PER_SECOND, LoginAttackers
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import basic
from tests.reliability.scenario import Impossible
from tests.reliability.site import Site

ENGINES = ("sqlite", "postgresql")
LONGEST_LOGIN = 10.0
"""Seconds from the login page to the way back to the client."""
SHARE_LEFT = 0.7
"""Of the rate of /token for another client without the attack."""


@dataclass(frozen=True)
class Size:
    """`logins` in new browsers during each attack; `seconds` for which /token is measured. The queue
    has room for fewer than `connections`. A test judges no time."""

    logins: int
    seconds: float
    connections: int
    judges_time: bool


QUICK = Size(logins=2, seconds=0.5, connections=80, judges_time=False)
FULL = Size(logins=30, seconds=20.0, connections=200, judges_time=True)


async def run(site: Site, size: Size) -> Outcome:
    if sys.platform != "linux":
        raise Impossible("only Linux has all addresses of 127.0.0.0/8")
    findings = Findings()
    await site.auth_service().start()
    await _hostile_usernames(site, size, findings)
    async with LoginAttackers.of(site, "one account") as attackers:
        await _sign_in(attackers, "one account", PEOPLE[0], site, size, findings)
    async with LoginAttackers.of(site, "many connections", size.connections) as attackers:
        await _sign_in(attackers, "many connections", PEOPLE[1], site, size, findings)
    return findings.outcome(
        "attacks at the login page",
        f"{len(ADDRESSES)} addresses send usernames of 10,400 combining marks, {BYTES_PER_SECOND:,} bytes a second"
        f" together; {len(ADDRESSES)} addresses try one account {PER_SECOND} times a second each;"
        f" one address holds {size.connections} connections that try passwords without a pause",
    )


async def _hostile_usernames(site: Site, size: Size, findings: Findings) -> None:
    quiet = await _token_rate(site, size.seconds)
    async with LoginAttackers.of(site, "hostile usernames") as attackers:
        under_attack = await _token_rate(site, size.seconds)
        statuses = await attackers.stop()
    findings.promise("a username of 10,400 combining marks is refused", set(statuses) == {401}, dict(statuses))
    share = under_attack / quiet
    findings.figures.append(
        f"hostile usernames: another client's /token {quiet:.0f} a second quiet, {under_attack:.0f} under attack,"
        f" {share:.2f} of it; {_told(statuses)}"
    )
    if size.judges_time:
        findings.promise(f"/token for another client keeps {SHARE_LEFT} of its rate", share >= SHARE_LEFT, share)


async def _token_rate(site: Site, seconds: float) -> float:
    wire, count, begin = site.wire(), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        answer = await wire.post("/token", {"grant_type": "client_credentials"}, basic(BOT))
        count += answer.status == 200
    return count / (time.perf_counter() - begin)


async def _sign_in(
    attackers: LoginAttackers, attack: str, email: str, site: Site, size: Size, findings: Findings
) -> None:
    seconds = []
    for _ in range(size.logins):
        person = site.person(email)
        begin = time.perf_counter()
        page = await person.authorize()
        answer = await person.submit(page, username=email, password=PASSWORD)
        seconds.append(time.perf_counter() - begin)
        findings.promise("the right password in a new browser signs in at once", answer.status == 303, answer)
        await asyncio.sleep(0.1)
    statuses = await attackers.stop()
    findings.promise("the attackers are refused", set(statuses) <= {0, 401, 429, 503}, dict(statuses))
    if size.judges_time:
        within = max(seconds) <= LONGEST_LOGIN
        findings.promise(f"and within {LONGEST_LOGIN:.0f} s", within, f"{attack}: {max(seconds):.1f}")
    seconds.sort()
    findings.figures.append(
        f"{attack}: the honest login takes p50 {seconds[len(seconds) // 2]:.2f} s, at most {seconds[-1]:.2f} s;"
        f" {_told(statuses)}"
    )


def _told(statuses: Counter[int]) -> str:
    return "attackers got " + ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
