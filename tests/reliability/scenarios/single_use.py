"""200 requests at once redeem one code, and 200 refresh one token, at two processes on one store."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import RawResponse
from tests.reliability.report import Outcome, Report
from tests.reliability.user_agent import UserAgent, code_grant, refresh_grant

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    rounds: int
    at_once: int


QUICK = Size(rounds=2, at_once=100)
FULL = Size(rounds=10, at_once=200)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    # On PostgreSQL the first process has two workers, so that the crowd meets workers of one process, too.
    services = await deployment.run_auth_services(2, workers=2 if deployment.engine == "postgresql" else 1)
    user = deployment.user_agent(EMAILS[0])
    await user.sign_in()
    crowd = [deployment.user_agent(EMAILS[0], port=services[number % 2].port) for number in range(size.at_once)]
    await asyncio.gather(*(member.http.get("/healthz") for member in crowd))  # opens all connections
    totals: Counter[str] = Counter()
    for _ in range(size.rounds):
        await _redeem_at_once(user, crowd, report, totals)
        await _refresh_at_once(user, crowd, report, totals)
    report.figures.append(", ".join(f"{count:,} {name}" for name, count in sorted(totals.items())))
    return report.outcome(
        "concurrent use of one code and of one refresh token",
        f"{size.at_once} simultaneous redemptions of one code and as many refreshes of one token, at two processes; "
        f"{size.rounds} times",
    )


async def _redeem_at_once(user: UserAgent, crowd: Sequence[UserAgent], report: Report, totals: Counter[str]) -> None:
    form = code_grant(user.client_id, await user.code())
    responses = await asyncio.gather(*(member.client_post("/token", form) for member in crowd))
    statuses = _count_statuses(responses, report)
    totals.update({f"redemptions answered {status}": count for status, count in statuses.items()})
    successes = [response.json() for response in responses if response.status == 200]
    is_once = len(successes) == 1 or (not successes and statuses[503] > 0)
    report.check("a code works once", is_once, statuses)
    for tokens in successes:
        # Each refused redemption was a replay, which revokes what the code gave (RFC 6749 §4.1.2).
        is_active = await user.is_active(tokens["access_token"])
        is_revoked = not is_active or not statuses[400]
        report.check("its tokens are revoked, because the code was replayed", is_revoked, statuses)


async def _refresh_at_once(user: UserAgent, crowd: Sequence[UserAgent], report: Report, totals: Counter[str]) -> None:
    token = (await user.tokens())["refresh_token"]
    form = refresh_grant(token)
    responses = await asyncio.gather(*(member.client_post("/token", form) for member in crowd))
    statuses = _count_statuses(responses, report)
    totals.update({f"refreshes answered {status}": count for status, count in statuses.items()})
    successors = {response.json()["refresh_token"] for response in responses if response.status == 200}
    report.check("all refreshes return the same successor", len(successors) == 1, len(successors))
    report.check("no refresh is refused", set(statuses) <= {200, 503}, statuses)
    for successor in successors:
        again = await user.refresh(successor)
        report.check("the successor works", bool(again), again)


def _count_statuses(responses: Sequence[RawResponse], report: Report) -> Counter[int]:
    statuses = Counter(response.status for response in responses)
    report.check("a response is a success, invalid_grant or 503", set(statuses) <= {200, 400, 503}, statuses)
    return statuses
