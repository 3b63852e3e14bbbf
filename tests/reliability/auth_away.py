"""The auth service is away, and the API is restarted meanwhile: live tokens go on, by keys and lists from disk."""

import asyncio
import time
from dataclasses import dataclass

from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import bearer
from tests.reliability.service import PATIENCE, Service
from tests.reliability.site import Site
from tests.reliability.wire import Wire

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """`away`: seconds. An access token lives 300."""

    away: float
    restarts: int


QUICK = Size(away=2.0, restarts=1)
FULL = Size(away=240.0, restarts=4)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    auth, api = site.auth_service(), site.resource_service()
    await auth.start()
    await api.start()
    person = site.person(PEOPLE[0])
    await person.sign_in()
    tokens = await person.tokens()
    revoked = (await person.tokens())["access_token"]
    live = _Live(site.wire(api.port), tokens["access_token"], revoked, findings)
    await person.revoke(revoked)
    async with asyncio.timeout(PATIENCE):
        while await live.is_taken(revoked):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await live.is_believed()
    await auth.kill()
    answered = 0
    for _ in range(size.restarts):
        end = time.monotonic() + size.away / size.restarts
        while time.monotonic() < end:
            await live.is_believed()
            answered += 1
            await asyncio.sleep(0.05)
        await api.kill()
        await api.start()
        await _serves_at_once(site, api, findings)
    await live.is_believed()
    await auth.start()
    fresh = (await person.refresh(tokens["refresh_token"]))["access_token"]
    await _Live(site.wire(api.port), fresh, revoked, findings).is_believed()
    findings.promise("the auth service, back again, goes on with what it had issued", await person.is_active(fresh))
    findings.figures.append(f"{answered:,} requests with a live token answered meanwhile")
    minutes = f"{size.away / 60:.0f} minutes" if size.away >= 60 else f"{size.away:.0f} s"
    return findings.outcome(
        "the auth service away",
        f"for {minutes} (serve_until_exp), the API killed and started again {size.restarts} times meanwhile",
    )


class _Live:
    """A token that has not expired, beside one that was revoked before the auth service went away."""

    def __init__(self, wire: Wire, token: str, revoked: str, findings: Findings) -> None:
        self._wire = wire
        self._token = token
        self._revoked = revoked
        self._findings = findings

    async def is_believed(self) -> None:
        answer = await self._wire.get("/whoami", bearer(self._token))
        self._findings.promise("a live token is believed", answer.status == 200, answer)
        answer = await self._wire.get("/whoami", bearer(_forged(self._token)))
        self._findings.promise("a forged one is not", answer.status == 401, answer)
        answer = await self._wire.get("/whoami", bearer(self._revoked))
        self._findings.promise("one that was revoked before is not", answer.status == 401, answer)

    async def is_taken(self, token: str) -> bool:
        return (await self._wire.get("/whoami", bearer(token))).status == 200


def _forged(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-5]}{'AAAAA' if not signature.endswith('AAAAA') else 'BBBBB'}"


async def _serves_at_once(site: Site, api: Service, findings: Findings) -> None:
    async with asyncio.timeout(PATIENCE):
        answer = await site.wire(api.port).get("/readyz")
    findings.promise("an API that starts while its issuer is away is ready at once", answer.status == 200, answer)
