"""The master key is replaced while the services run."""

import asyncio
import base64
import secrets
from dataclasses import dataclass

from tests.reliability.deployment import Deployment
from tests.reliability.key_traffic import KeyTraffic
from tests.reliability.report import Outcome, Report
from tests.reliability.scenarios.key_rotation import AHEAD
from tests.reliability.service import WAIT_TIMEOUT
from tests.support.ports import free_port

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    """`pause`: seconds between two requests of each client."""

    pause: float


QUICK = Size(pause=0.2)
FULL = Size(pause=0.02)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    # The shortest lifetime of a key, so that the running processes generate new keys during the scenario.
    replicas = await deployment.run_replicas(signing_key=AHEAD + 1, signing_key_ahead=AHEAD)
    traffic = KeyTraffic(deployment, replicas, pause=size.pause)
    file = deployment.folder / "master.key"
    old, new = file.read_text().strip(), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    async with traffic.running():
        file.write_text(f"{old}\n{new}\n")
        await asyncio.sleep(2)
        file.write_text(f"{new}\n{old}\n")
        outputs = [await deployment.command("keys", "re-encrypt") for _ in range(2)]
        published = await _published_kids(deployment)
        file.write_text(f"{new}\n")
        async with asyncio.timeout(WAIT_TIMEOUT):
            while published >= traffic.kids:  # noqa: ASYNC110 - until a later key has signed
                await asyncio.sleep(0.2)
    await deployment.new_auth_service(port=free_port()).start()
    report.check("a process starts with the new key alone", True)
    once = outputs[0].startswith("encrypted") and outputs[1].startswith("nothing to do")
    report.check("the first `keys re-encrypt` encrypts everything anew, the second nothing", once, outputs)
    file.write_text(f"{old}\n")
    report.check("the old key alone is refused", "master_key: not the one" in await _error_of_rotate(deployment))
    file.write_text(f"{new}\n")
    traffic.summarize(report)
    return report.outcome(
        "master key replacement",
        "new key added to the file, then made the first, everything encrypted anew, old key removed; under load",
    )


async def _published_kids(deployment: Deployment) -> set[str]:
    jwks = (await deployment.client().get("/jwks")).json()
    return {key["kid"] for key in jwks["keys"] if key["alg"] == "ES256"}


async def _error_of_rotate(deployment: Deployment) -> str:
    try:
        return await deployment.command("keys", "rotate")
    except RuntimeError as error:
        return str(error)
