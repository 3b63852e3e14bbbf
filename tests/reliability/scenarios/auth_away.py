"""The auth service is unavailable and the API is restarted: valid tokens are accepted by keys and lists from disk."""

import asyncio
import time
from dataclasses import dataclass

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import RawHTTPClient
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT, Service
from tests.reliability.user_agent import bearer

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """`seconds` without the auth service. An access token is valid for 300."""

    seconds: float
    restarts: int


QUICK = Size(seconds=1.0, restarts=1)
FULL = Size(seconds=240.0, restarts=4)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    (auth,), (api,) = await deployment.run_auth_services(), await deployment.run_apis()
    user = deployment.user_agent(EMAILS[0])
    await user.sign_in()
    tokens = await user.tokens()
    revoked = (await user.tokens())["access_token"]
    probe = _Probe(deployment.client(api.port), tokens["access_token"], revoked, report)
    await user.revoke(revoked)
    async with asyncio.timeout(WAIT_TIMEOUT):
        while await probe.is_accepted(revoked):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await probe.check()
    await auth.kill()
    count = 0
    for _ in range(size.restarts):
        end = time.monotonic() + size.seconds / size.restarts
        while time.monotonic() < end:
            await probe.check()
            count += 1
            await asyncio.sleep(0.05)
        await api.kill()
        await api.start()
        await _check_ready(deployment, api, report)
    await probe.check()
    await auth.start()
    refreshed = (await user.refresh(tokens["refresh_token"]))["access_token"]
    await _Probe(deployment.client(api.port), refreshed, revoked, report).check()
    report.check("the restarted auth service accepts its earlier tokens", await user.is_active(refreshed))
    report.figures.append(f"{count:,} requests with a valid token answered meanwhile")
    duration = f"{size.seconds / 60:.0f} minutes" if size.seconds >= 60 else f"{size.seconds:.0f} s"
    return report.outcome(
        "auth service unavailable",
        f"for {duration} (serve_until_exp), the API killed and started again {size.restarts} times meanwhile",
    )


class _Probe:
    """Calls the API with a valid token, a forged one, and one that was revoked before the auth service was killed."""

    def __init__(self, http: RawHTTPClient, token: str, revoked: str, report: Report) -> None:
        self._http = http
        self._token = token
        self._revoked = revoked
        self._report = report

    async def check(self) -> None:
        response = await self._http.get("/whoami", bearer(self._token))
        self._report.check("a valid token is accepted", response.status == 200, response)
        response = await self._http.get("/whoami", bearer(_forged(self._token)))
        self._report.check("a forged token is refused", response.status == 401, response)
        response = await self._http.get("/whoami", bearer(self._revoked))
        self._report.check("a token that was revoked before is refused", response.status == 401, response)

    async def is_accepted(self, token: str) -> bool:
        return (await self._http.get("/whoami", bearer(token))).status == 200


def _forged(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-5]}{'AAAAA' if not signature.endswith('AAAAA') else 'BBBBB'}"


async def _check_ready(deployment: Deployment, api: Service, report: Report) -> None:
    async with asyncio.timeout(WAIT_TIMEOUT):
        response = await deployment.client(api.port).get("/readyz")
    report.check("an API that starts without its issuer is ready", response.status == 200, response)
