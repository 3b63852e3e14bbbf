"""Services whose clocks differ by half a minute and more work together as if they did not."""

from dataclasses import dataclass

from bench.processes import free_port
from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, bearer
from tests.reliability.service import Service, skewed
from tests.reliability.site import Site

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """`skews`: seconds by which two auth services and an API are wrong, each time."""

    skews: tuple[tuple[int, int, int], ...]


QUICK = Size(skews=((0, 30, -30),))
FULL = Size(skews=((0, 30, -30), (0, -30, 30), (30, 0, 0), (-30, 0, 0)))


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    for skews in size.skews:
        here, there, api = [
            _launched(site, "auth_service", skews[0], site.port),
            _launched(site, "auth_service", skews[1], free_port()),
            _launched(site, "resource_service", skews[2], None),
        ]
        for service in (here, there, api):
            await service.start()
        for first, second in ((here, there), (there, here)):
            await _work(site, first, second, api, findings, f"{skews}")
        for service in (here, there, api):
            await service.kill()
    return findings.outcome(
        "clocks that differ",
        "two auth services and an API, their clocks wrong by "
        + "; ".join(", ".join(f"{skew:+d} s" if skew else "0" for skew in skews) for skews in size.skews),
    )


def _launched(site: Site, module: str, skew: int, port: int | None) -> Service:
    launcher = skewed(module, skew)
    if module == "auth_service":
        return site.auth_service(port=port, module=launcher)
    return site.resource_service(module=launcher)


async def _work(site: Site, first: Service, second: Service, api: Service, findings: Findings, skews: str) -> None:
    """What the first begins, the second goes on with; and the API believes what either issues."""
    here = site.person(PEOPLE[0], port=first.port)
    answer = await here.sign_in()
    findings.promise("a login at one is a login at the other", answer.status == 303, f"{skews}: {answer}")
    there = here.elsewhere(site.wire(second.port))
    tokens = await there.redeem(await here.code())
    await _is_good(site, there, api, tokens["access_token"], findings, skews)
    tokens = await there.redeem(await there.code())
    for person in (here, there, here):
        tokens = await person.refresh(tokens["refresh_token"])
        await _is_good(site, person, api, tokens["access_token"], findings, skews)
        await _is_good(site, here, api, tokens["access_token"], findings, skews)
    await there.revoke(tokens["refresh_token"])
    is_active = await here.is_active(tokens["access_token"])
    findings.promise("what one revokes is inactive at the other", not is_active, skews)


async def _is_good(site: Site, person: Person, api: Service, token: str, findings: Findings, skews: str) -> None:
    answer = await site.wire(api.port).get("/notes", bearer(token))
    findings.promise("the API believes what either issues", answer.status == 200, f"{skews}: {answer}")
    answer = await person.wire.get("/userinfo", bearer(token))
    findings.promise("userinfo and introspection, too", answer.status == 200, f"{skews}: {answer}")
    findings.promise("userinfo and introspection, too", await person.is_active(token), skews)
