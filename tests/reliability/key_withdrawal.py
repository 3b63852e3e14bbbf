"""A signing key was stolen, and is withdrawn."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from auth_service.configuration.configuration_file import read_config
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from tallystick.clock import system_clock
from tallystick_service.store import Store
from tests.reliability.declared import APP, BOT, redirect_uri
from tests.reliability.key_rotation import AHEAD
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, basic, bearer
from tests.reliability.site import Site
from tests.reliability.two_of_each import TwoOfEach
from tests.reliability.wire import Wire
from tests.support.relying_party import header_of

ENGINES = ("sqlite", "postgresql")
GOAL = 5.0
"""Seconds from the withdrawal until nobody believes the key."""

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Size:
    count: int


QUICK = Size(count=1)
FULL = Size(count=8)


async def run(site: Site, size: Size) -> Outcome:
    """The APIs have verified the tokens and remember them; nothing but time makes them look at the keys again."""
    findings = Findings()
    both = await TwoOfEach.start(site, signing_key_ahead=AHEAD)
    person = site.person()
    await person.sign_in()
    longest: dict[str, float] = {}
    for _ in range(size.count):
        await asyncio.sleep(random.uniform(0, 4))
        for name, seconds in (await _withdraw_and_watch(both, person)).items():
            longest[name] = max(seconds, longest.get(name, 0.0))
    for name, seconds in longest.items():
        words = f"what the stolen key signed is refused everywhere within {GOAL:.0f} s"
        findings.promise(words, seconds <= GOAL, f"{name}: {seconds:.1f} s")
    shown = ", ".join(f"{name} {value:.1f}" for name, value in longest.items())
    findings.figures.append(f"believed for at most, in s: {shown}")
    findings.figures.append(f"new tokens refused here and there for {await _withdraw_and_renew(both):.1f} s")
    return findings.outcome(
        "a signing key was stolen",
        f"withdrawn, {size.count} times, while APIs remember its tokens; two auth processes and two APIs",
    )


async def _withdraw_and_watch(both: TwoOfEach, person: Person) -> dict[str, float]:
    """Seconds for which each of all that ask whether a token is good believed it after the withdrawal."""
    tokens = await person.tokens()
    token, id_token = tokens["access_token"], tokens["id_token"]
    probes: dict[str, Probe] = {}
    for number, (auth, api) in enumerate(zip(both.auths, both.apis, strict=True)):
        wire = both.site.wire
        probes[f"api {number}"] = partial(_is_welcome, wire(api.port), "/whoami", token)
        probes[f"userinfo {number}"] = partial(_is_welcome, wire(auth.port), "/userinfo", token)
        probes[f"introspection {number}"] = partial(person.elsewhere(wire(auth.port)).is_active, token)
        probes[f"id_token_hint {number}"] = partial(_takes_hint, wire(auth.port), id_token)
    async with asyncio.timeout(30):
        while not all([await probe() for probe in probes.values()]):  # noqa: ASYNC110 - an API learns the key by itself
            await asyncio.sleep(0.2)
    begin = time.monotonic()
    watching = [asyncio.create_task(_until_not(probe, begin)) for probe in probes.values()]
    await _withdraw(both.site, header_of(token)["kid"])
    return dict(zip(probes, await asyncio.gather(*watching), strict=True))


async def _withdraw_and_renew(both: TwoOfEach) -> float:
    """Seconds until no new token was refused any more, by either API."""
    auths, apis = ([both.site.wire(service.port) for service in services] for services in (both.auths, both.apis))
    kid = header_of(await _new_token(auths[0]))["kid"]
    withdrawing = asyncio.create_task(_withdraw(both.site, kid))
    begin = last = time.monotonic()
    while (asked := time.monotonic()) < begin + 10:
        for auth in auths:
            token = await _new_token(auth)
            if not all([await _is_welcome(api, "/whoami", token) for api in apis]):
                last = asked
        await asyncio.sleep(0.05)
    await withdrawing
    return last - begin


async def _withdraw(site: Site, kid: str) -> None:
    """As `keys withdraw` does, without the second that a process needs to start."""
    settings = read_config(site.config)
    store = Store.open(settings.database_url)
    try:
        master_key = MasterKey.load(settings.master_key, may_create=False)
        assert await KeyRing.from_lifetimes(store, master_key, system_clock, settings.lifetimes).withdraw(kid)
    finally:
        await store.close()


async def _until_not(probe: Probe, begin: float) -> float:
    """When it was so for the last time: for two seconds after that it was not."""
    last = begin
    while True:
        asked = time.monotonic()
        if await probe():
            last = asked
        elif asked - last > 2:
            return last - begin
        await asyncio.sleep(0.05)


async def _new_token(auth: Wire) -> str:
    tokens = (await auth.post("/token", {"grant_type": "client_credentials"}, basic(BOT))).json()
    return str(tokens["access_token"])


async def _is_welcome(service: Wire, path: str, token: str) -> bool:
    return (await service.get(path, bearer(token))).status == 200


async def _takes_hint(auth: Wire, id_token: str) -> bool:
    query = {"response_type": "code", "client_id": APP, "redirect_uri": redirect_uri(APP), "scope": "openid"}
    asked = urlencode(query | {"prompt": "none", "id_token_hint": id_token})
    return "error=invalid_request" not in (await auth.get(f"/authorize?{asked}")).headers["location"]
