"""After the clock jumps back, the auth service dates no token before the newest timestamp in the store."""

from dataclasses import dataclass
from typing import Any

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.report import Outcome, Report
from tests.reliability.user_agent import bearer
from tests.support.relying_party import claims_of

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    """Seconds."""

    jumps: tuple[int, ...]


QUICK = Size(jumps=(120,))
FULL = Size(jumps=(10, 120, 3600))


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    api = deployment.new_api()
    await api.start()
    for jump in size.jumps:
        before, after = deployment.new_auth_service(), deployment.new_auth_service(skew=-jump)
        await before.start()
        user = deployment.user_agent(EMAILS[0])
        await user.sign_in()
        tokens = await user.tokens()
        newest = _iat(tokens)
        await before.kill()
        await after.start()
        tokens = await user.refresh(tokens["refresh_token"])
        for issued in (tokens, await user.tokens(), await user.refresh(tokens["refresh_token"])):
            report.check(
                "no token is dated before the newest timestamp in the store",
                _iat(issued) >= newest,
                f"{newest - _iat(issued)} s before, after a jump of {jump} s",
            )
            response = await deployment.client(api.port).get("/whoami", bearer(issued["access_token"]))
            report.check("the issued tokens are accepted", response.status == 200, response)
        await after.kill()
    jumps = ", ".join(str(jump) for jump in size.jumps)
    return report.outcome("the clock jumps back", f"by {jumps} s, between a kill -9 and the next start")


def _iat(tokens: dict[str, Any]) -> int:
    """Return the earliest `iat` of a token response."""
    return min(int(claims_of(tokens[name])["iat"]) for name in ("access_token", "id_token"))
