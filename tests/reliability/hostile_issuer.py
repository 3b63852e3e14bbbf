"""An issuer whose answers are worth nothing: the API keeps the last good keys and list, and says so once."""

import asyncio
from dataclasses import dataclass

from tests.reliability.hostile_server import FAULTS, REVOKED, HostileIssuer, hostile_issuer
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import bearer
from tests.reliability.service import PATIENCE, Service
from tests.reliability.site import Site

ENGINES = ("sqlite",)

FOLLOWED = {"/jwks": "keys of", "/status-lists/1": "status list"}
"""What an API follows, and as what it is called in the log."""


@dataclass(frozen=True)
class Size:
    """`fetches`: that each fault lasts for. `refresh`: seconds between them, None for the API's own."""

    faults: tuple[str, ...]
    fetches: int
    refresh: float | None


QUICK = Size(faults=("garbage", "500s", "an endless body", "a redirect", "resets"), fetches=3, refresh=0.1)
FULL = Size(faults=tuple(FAULTS), fetches=2, refresh=None)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    async with hostile_issuer() as issuer:
        launched = () if size.refresh is None else ("tests.reliability.launch", "--refresh", str(size.refresh))
        api = site.resource_service(issuer=issuer.url, module=(*launched, "resource_service"))
        await api.start()
        async with asyncio.timeout(PATIENCE):
            while (await site.wire(api.port).get("/readyz")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for path in FOLLOWED:
            for fault in size.faults:
                await _endure(site, api, issuer, path, fault, size.fetches, findings)
        findings.figures.append(f"{issuer.hostilities} hostile answers")
        findings.figures.append(f"{api.resident_mb:.0f} MB resident at the end")
    return findings.outcome("an issuer that answers nonsense", ", ".join(size.faults))


async def _endure(
    site: Site, api: Service, issuer: HostileIssuer, path: str, fault: str, fetches: int, findings: Findings
) -> None:
    warned, recovered = _warnings(api, path), _recoveries(api, path)
    issuer.faults[path] = fault
    asked = issuer.asked.get(path, 0)
    wire = site.wire(api.port)
    async with asyncio.timeout(PATIENCE):
        while issuer.asked.get(path, 0) < asked + fetches:
            answer = await wire.get("/whoami", bearer(issuer.access_token()))
            findings.promise("tokens by the last good keys are believed", answer.status == 200, f"{fault}: {answer}")
            answer = await wire.get("/whoami", bearer(issuer.access_token(idx=REVOKED)))
            findings.promise("what the last good list revokes is refused", answer.status == 401, f"{fault}: {answer}")
            await asyncio.sleep(0.05)
        while _warnings(api, path) == warned:  # noqa: ASYNC110 - a log tells nobody that it has grown
            await asyncio.sleep(0.05)
    warnings = _warnings(api, path) - warned
    findings.promise("one warning for each outage", warnings == 1, f"{fault}: {warnings}")
    answer = await wire.get("/readyz")
    findings.promise("/readyz stays 200", answer.status == 200, answer)
    stranger = await site.wire(api.port).get("/whoami", bearer(issuer.stranger.access_token(**issuer.claims)))
    findings.promise("keys of a stranger are not taken up", stranger.status == 401, f"{fault}: {stranger}")
    del issuer.faults[path]
    async with asyncio.timeout(PATIENCE):
        while _recoveries(api, path) == recovered:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    findings.promise("it recovers by itself", True)


def _warnings(api: Service, path: str) -> int:
    return api.logged('"level": "warning"', f"cannot fetch the {FOLLOWED[path]}")


def _recoveries(api: Service, path: str) -> int:
    return api.logged(f"the {FOLLOWED[path]}", "can be fetched again")
