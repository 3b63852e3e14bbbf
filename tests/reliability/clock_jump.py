"""A process whose clock jumps back issues nothing dated before the newest instant in the store."""

from dataclasses import dataclass
from typing import Any

from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import bearer
from tests.reliability.service import skewed
from tests.reliability.site import Site
from tests.support.relying_party import claims_of

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    """Seconds."""

    jumps: tuple[int, ...]


QUICK = Size(jumps=(120,))
FULL = Size(jumps=(10, 120, 3600))


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    api = site.resource_service()
    await api.start()
    for jump in size.jumps:
        right, late = [site.auth_service(module=skewed("auth_service", skew)) for skew in (0, -jump)]
        await right.start()
        person = site.person(PEOPLE[0])
        await person.sign_in()
        tokens = await person.tokens()
        newest = _iat(tokens)
        await right.kill()
        await late.start()
        tokens = await person.refresh(tokens["refresh_token"])
        for issued in (tokens, await person.tokens(), await person.refresh(tokens["refresh_token"])):
            findings.promise(
                "nothing is dated before the newest instant in the store",
                _iat(issued) >= newest,
                f"{newest - _iat(issued)} s before, after a jump of {jump} s",
            )
            answer = await site.wire(api.port).get("/whoami", bearer(issued["access_token"]))
            findings.promise("what is issued is believed", answer.status == 200, answer)
        await late.kill()
    jumps = ", ".join(str(jump) for jump in size.jumps)
    return findings.outcome("a clock that jumps back", f"by {jumps} s, between a kill -9 and the next start")


def _iat(tokens: dict[str, Any]) -> int:
    """The earliest date on what was issued."""
    return min(int(claims_of(tokens[name])["iat"]) for name in ("access_token", "id_token"))
