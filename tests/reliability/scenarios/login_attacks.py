"""Attacks at the login page, from one address and from many, beside well-behaved users and clients."""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass

from tests.reliability.configuration import BOT, EMAILS, PASSWORD
from tests.reliability.deployment import Deployment
from tests.reliability.login_attackers import ADDRESSES, ATTEMPTS_PER_SECOND, BYTES_PER_SECOND, LoginAttackers
from tests.reliability.report import Outcome, Report
from tests.reliability.scenario import Unsupported
from tests.reliability.user_agent import basic

ENGINES = ("sqlite", "postgresql")
MAX_LOGIN_SECONDS = 10.0
"""From the login page to the redirect to the client."""
MIN_RATE = 0.7
"""The rate of another client's token requests during the attack, relative to the rate without it."""


@dataclass(frozen=True)
class Size:
    """`logins` from new browsers during each attack; `seconds` for which /token is measured. The login queue is
    shorter than `connections`. A quick run does not judge time.
    """

    logins: int
    seconds: float
    connections: int
    judges_time: bool


QUICK = Size(logins=2, seconds=0.5, connections=80, judges_time=False)
FULL = Size(logins=30, seconds=20.0, connections=200, judges_time=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    if sys.platform != "linux":
        raise Unsupported("only Linux has all addresses of 127.0.0.0/8")
    report = Report()
    await deployment.run_auth_services()
    await _check_hostile_usernames(deployment, size, report)
    async with LoginAttackers.start(deployment, "one account") as attackers:
        await _check_logins(attackers, "one account", EMAILS[0], deployment, size, report)
    async with LoginAttackers.start(deployment, "many connections", size.connections) as attackers:
        await _check_logins(attackers, "many connections", EMAILS[1], deployment, size, report)
    return report.outcome(
        "attacks at the login page",
        f"{len(ADDRESSES)} addresses send usernames of 10,400 combining marks, {BYTES_PER_SECOND:,} bytes a second"
        f" together; {len(ADDRESSES)} addresses try one account {ATTEMPTS_PER_SECOND} times a second each;"
        f" one address holds {size.connections} connections that try passwords without a pause",
    )


async def _check_hostile_usernames(deployment: Deployment, size: Size, report: Report) -> None:
    quiet = await _token_rate(deployment, size.seconds)
    async with LoginAttackers.start(deployment, "hostile usernames") as attackers:
        attacked = await _token_rate(deployment, size.seconds)
        statuses = await attackers.stop()
    report.check("a username of 10,400 combining marks is refused", set(statuses) == {401}, dict(statuses))
    ratio = attacked / quiet
    report.figures.append(
        f"hostile usernames: another client's /token {quiet:.0f} a second quiet, {attacked:.0f} under attack,"
        f" {ratio:.2f} of it; {_summary(statuses)}"
    )
    if size.judges_time:
        report.check(f"/token for another client keeps {MIN_RATE} of its rate", ratio >= MIN_RATE, ratio)


async def _token_rate(deployment: Deployment, seconds: float) -> float:
    """Return the token requests per second of one client without concurrency."""
    http, count, begin = deployment.client(), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        response = await http.post("/token", {"grant_type": "client_credentials"}, basic(BOT))
        count += response.status == 200
    return count / (time.perf_counter() - begin)


async def _check_logins(
    attackers: LoginAttackers, attack: str, email: str, deployment: Deployment, size: Size, report: Report
) -> None:
    seconds = []
    for _ in range(size.logins):
        user = deployment.user_agent(email)
        begin = time.perf_counter()
        page = await user.authorize()
        response = await user.submit(page, username=email, password=PASSWORD)
        seconds.append(time.perf_counter() - begin)
        report.check("the correct password signs in from a new browser", response.status == 303, response)
        await asyncio.sleep(0.1)
    statuses = await attackers.stop()
    report.check("the attackers are refused", set(statuses) <= {0, 401, 429, 503}, dict(statuses))
    if size.judges_time:
        in_time = max(seconds) <= MAX_LOGIN_SECONDS
        report.check(f"and within {MAX_LOGIN_SECONDS:.0f} s", in_time, f"{attack}: {max(seconds):.1f}")
    seconds.sort()
    report.figures.append(
        f"{attack}: a user's login takes p50 {seconds[len(seconds) // 2]:.2f} s, at most {seconds[-1]:.2f} s;"
        f" {_summary(statuses)}"
    )


def _summary(statuses: Counter[int]) -> str:
    return "attackers got " + ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
