"""kill -9 of the auth service at random moments under load."""

import asyncio
import random
from dataclasses import dataclass
from statistics import median

from tests.reliability.deployment import Deployment
from tests.reliability.history import check_history, check_store
from tests.reliability.report import Outcome, Report
from tests.reliability.workload import Workload

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    """Each kill comes after a random number of seconds within `seconds`."""

    kills: int
    seconds: tuple[float, float]


QUICK = Size(kills=2, seconds=(0.3, 0.8))
FULL = Size(kills=20, seconds=(0.3, 3.0))


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    (service,) = await deployment.run_auth_services(workers=1 if deployment.engine == "sqlite" else 2)
    workload = Workload(deployment, report)
    await workload.prepare()
    starts = []
    for _ in range(size.kills):
        workload.begin()
        adding = asyncio.create_task(workload.add_user())
        await asyncio.sleep(random.uniform(*size.seconds))
        await service.kill()
        await workload.end()
        await adding
        starts.append(await service.start())
        await _check_first_request(deployment, report)
        await check_history(workload.history, deployment, report)
        workload.history.clear()
    check_store(deployment, report)
    report.figures.append(f"restart {median(starts):.1f} s (median) until it listens")
    report.figures.append(workload.figure)
    return report.outcome(
        "kill -9 of the auth service", f"{size.kills} times at random moments under load, each time started again"
    )


async def _check_first_request(deployment: Deployment, report: Report) -> None:
    response = await deployment.client().get("/readyz")
    report.check("the first request after the restart is served", response.status == 200, response)
