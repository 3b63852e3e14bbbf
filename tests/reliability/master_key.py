"""The master key is replaced while everything runs."""

import asyncio
import base64
import secrets

from bench.processes import free_port
from tests.reliability.key_rotation import AHEAD
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.service import PATIENCE
from tests.reliability.site import Site
from tests.reliability.traffic import Traffic
from tests.reliability.two_of_each import TwoOfEach

ENGINES = ("sqlite", "postgresql")
QUICK = FULL = None


async def run(site: Site, _size: None) -> Outcome:
    findings = Findings()
    # A key signs for as short as can be, so that the processes that were there before make new ones by themselves.
    both = await TwoOfEach.start(site, signing_key=AHEAD + 1, signing_key_ahead=AHEAD)
    traffic = Traffic(both)
    file = site.folder / "master.key"
    old, new = file.read_text().strip(), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    async with traffic.going_on():
        file.write_text(f"{old}\n{new}\n")
        await asyncio.sleep(2)
        file.write_text(f"{new}\n{old}\n")
        said = [await site.command("keys", "re-encrypt") for _ in range(2)]
        before = await both.published()
        file.write_text(f"{new}\n")
        async with asyncio.timeout(PATIENCE):
            while before >= traffic.kids:  # noqa: ASYNC110 - until one of them signs with a key made since
                await asyncio.sleep(0.2)
    await site.auth_service(port=free_port()).start()
    findings.promise("a process that starts with the new key alone serves", True)
    is_once = said[0].startswith("encrypted") and said[1].startswith("nothing to do")
    findings.promise("all is sealed anew, and once", is_once, said)
    traffic.tell(findings)
    return findings.outcome(
        "another master key",
        "put beside the old one, made the first, all sealed anew, the old one taken away; under load",
    )
