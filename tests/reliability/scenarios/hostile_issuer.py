"""The issuer's responses are invalid: the API keeps the last valid keys and status list, and logs one warning."""

import asyncio
from dataclasses import dataclass

from tests.reliability.deployment import Deployment
from tests.reliability.fake_issuer import FAULTS, REVOKED, FakeIssuer, fake_issuer
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT, Service
from tests.reliability.user_agent import bearer

ENGINES = ("sqlite",)

DOCUMENTS = {"/jwks": "keys of", "/status-lists/1": "status list"}
"""The documents that an API fetches repeatedly, with their names in its log."""


@dataclass(frozen=True)
class Size:
    """Each fault lasts for `fetches` fetches. `interval`: seconds between them, None for the API's own interval."""

    faults: tuple[str, ...]
    fetches: int
    interval: float | None


QUICK = Size(faults=("garbage", "500s", "an endless body", "a redirect", "resets"), fetches=3, interval=0.1)
FULL = Size(faults=tuple(FAULTS), fetches=2, interval=None)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    async with fake_issuer() as issuer:
        api = deployment.new_api(issuer=issuer.url, fetch_interval=size.interval)
        await api.start()
        async with asyncio.timeout(WAIT_TIMEOUT):
            while (await deployment.client(api.port).get("/readyz")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for path in DOCUMENTS:
            for fault in size.faults:
                await _check_fault(deployment, api, issuer, path, fault, size.fetches, report)
        report.figures.append(f"{issuer.invalid_responses} invalid responses")
        report.figures.append(f"{api.resident_mb:.0f} MB resident at the end")
    return report.outcome("invalid issuer responses", ", ".join(size.faults))


async def _check_fault(
    deployment: Deployment, api: Service, issuer: FakeIssuer, path: str, fault: str, fetches: int, report: Report
) -> None:
    warnings, recoveries = _count_warnings(api, path), _count_recoveries(api, path)
    issuer.faults[path] = fault
    requests = issuer.requests.get(path, 0)
    http = deployment.client(api.port)
    async with asyncio.timeout(WAIT_TIMEOUT):
        while issuer.requests.get(path, 0) < requests + fetches:
            response = await http.get("/whoami", bearer(issuer.access_token()))
            report.check("tokens of the last valid keys are accepted", response.status == 200, f"{fault}: {response}")
            response = await http.get("/whoami", bearer(issuer.access_token(idx=REVOKED)))
            is_refused = response.status == 401
            report.check("tokens that the last valid list revokes are refused", is_refused, f"{fault}: {response}")
            await asyncio.sleep(0.05)
        while _count_warnings(api, path) == warnings:  # noqa: ASYNC110 - a log sends no event
            await asyncio.sleep(0.05)
    new_warnings = _count_warnings(api, path) - warnings
    report.check("one warning for each outage", new_warnings == 1, f"{fault}: {new_warnings}")
    response = await http.get("/readyz")
    report.check("/readyz stays 200", response.status == 200, response)
    response = await deployment.client(api.port).get("/whoami", bearer(issuer.other.access_token(**issuer.claims)))
    report.check("keys of another issuer are not accepted", response.status == 401, f"{fault}: {response}")
    del issuer.faults[path]
    async with asyncio.timeout(WAIT_TIMEOUT):
        while _count_recoveries(api, path) == recoveries:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    report.check("it recovers by itself", True)


def _count_warnings(api: Service, path: str) -> int:
    return api.count_log_lines('"level": "warning"', f"cannot fetch the {DOCUMENTS[path]}")


def _count_recoveries(api: Service, path: str) -> int:
    return api.count_log_lines(f"the {DOCUMENTS[path]}", "can be fetched again")
