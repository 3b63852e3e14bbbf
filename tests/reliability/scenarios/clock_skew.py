"""Services whose clocks differ by half a minute or more work together."""

import asyncio
from dataclasses import dataclass

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.report import Outcome, Report
from tests.reliability.service import Service
from tests.reliability.user_agent import UserAgent, bearer
from tests.support.ports import free_port

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """`skews`: for each run, the seconds by which the clocks of two auth services and of an API are wrong."""

    skews: tuple[tuple[int, int, int], ...]


QUICK = Size(skews=((0, 30, -30),))
FULL = Size(skews=((0, 30, -30), (0, -30, 30), (30, 0, 0), (-30, 0, 0)))


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    for skews in size.skews:
        first = deployment.new_auth_service(skew=skews[0])
        second = deployment.new_auth_service(port=free_port(), skew=skews[1])
        api = deployment.new_api(skew=skews[2])
        await first.start()  # creates the database
        await asyncio.gather(second.start(), api.start())
        for one, other in ((first, second), (second, first)):
            await _check(deployment, one, other, api, report, f"{skews}")
        for service in (first, second, api):
            await service.kill()
    return report.outcome(
        "different clocks",
        "two auth services and an API, their clocks wrong by "
        + "; ".join(", ".join(f"{skew:+d} s" if skew else "0" for skew in skews) for skews in size.skews),
    )


async def _check(
    deployment: Deployment, first: Service, second: Service, api: Service, report: Report, skews: str
) -> None:
    here = deployment.user_agent(EMAILS[0], port=first.port)
    response = await here.sign_in()
    report.check("a login at one is a login at the other", response.status == 303, f"{skews}: {response}")
    there = here.through(deployment.client(second.port))
    tokens = await there.redeem(await here.code())
    await _check_token(deployment, there, api, tokens["access_token"], report, skews)
    tokens = await there.redeem(await there.code())
    for user_agent in (here, there, here):
        tokens = await user_agent.refresh(tokens["refresh_token"])
        await _check_token(deployment, user_agent, api, tokens["access_token"], report, skews)
        await _check_token(deployment, here, api, tokens["access_token"], report, skews)
    await there.revoke(tokens["refresh_token"])
    is_active = await here.is_active(tokens["access_token"])
    report.check("a token revoked at one is inactive at the other", not is_active, skews)


async def _check_token(
    deployment: Deployment, user_agent: UserAgent, api: Service, token: str, report: Report, skews: str
) -> None:
    response = await deployment.client(api.port).get("/notes", bearer(token))
    report.check("the API accepts the tokens of both", response.status == 200, f"{skews}: {response}")
    response = await user_agent.http.get("/userinfo", bearer(token))
    report.check("so do userinfo and introspection", response.status == 200, f"{skews}: {response}")
    report.check("so do userinfo and introspection", await user_agent.is_active(token), skews)
