"""A stolen signing key is withdrawn."""

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
from tests.reliability.configuration import APP, BOT, redirect_uri
from tests.reliability.deployment import Deployment, Replicas
from tests.reliability.raw_http import RawHTTPClient
from tests.reliability.report import Outcome, Report
from tests.reliability.scenarios.key_rotation import AHEAD
from tests.reliability.service import WAIT_TIMEOUT
from tests.reliability.user_agent import UserAgent, basic, bearer
from tests.support.relying_party import header_of

ENGINES = ("sqlite", "postgresql")
MAX_SECONDS = 5.0
"""From the withdrawal until no service accepts the key."""

Probe = Callable[[], Awaitable[bool]]
"""Whether one service accepts one token at this moment."""


@dataclass(frozen=True)
class Size:
    """`interval`: seconds between two probes. A quick run does not judge time."""

    count: int
    interval: float
    judges_time: bool


QUICK = Size(count=1, interval=0.2, judges_time=False)
FULL = Size(count=8, interval=0.05, judges_time=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    """The APIs have verified the tokens and keep them in a cache; only their timers make them fetch the keys again."""
    report = Report()
    replicas = await deployment.run_replicas(signing_key_ahead=AHEAD)
    user = deployment.user_agent()
    await user.sign_in()
    longest: dict[str, float] = {}
    for _ in range(size.count):
        if size.judges_time:
            await asyncio.sleep(random.uniform(0, 4))
        async with asyncio.timeout(2 * WAIT_TIMEOUT):
            observed = await _withdraw(deployment, replicas, user, size.interval, report)
        for name, seconds in observed.items():
            longest[name] = max(seconds, longest.get(name, 0.0))
    if size.judges_time:
        for name, seconds in longest.items():
            sentence = f"and within {MAX_SECONDS:.0f} s"
            report.check(sentence, seconds <= MAX_SECONDS, f"{name}: {seconds:.1f} s")
        renewal = await _seconds_until_new_tokens_are_accepted(deployment, replicas)
        report.figures.append(f"new tokens were refused by an API for {renewal:.1f} s")
    shown = ", ".join(f"{name} {value:.1f}" for name, value in longest.items())
    report.figures.append(f"accepted for at most, in s: {shown}")
    return report.outcome(
        "signing key withdrawal",
        f"withdrawn {size.count} times while APIs hold its tokens in a cache; two auth processes and two APIs",
    )


async def _withdraw(
    deployment: Deployment, replicas: Replicas, user: UserAgent, interval: float, report: Report
) -> dict[str, float]:
    """Return the seconds for which each service accepted a token after the withdrawal of its key."""
    tokens = await user.tokens()
    token, id_token = tokens["access_token"], tokens["id_token"]
    client = deployment.client
    probes: dict[str, Probe] = {}
    for number, (auth, api) in enumerate(zip(replicas.auths, replicas.apis, strict=True)):
        probes[f"api {number}"] = partial(_is_accepted, client(api.port), "/whoami", token)
        probes[f"userinfo {number}"] = partial(_is_accepted, client(auth.port), "/userinfo", token)
        probes[f"introspection {number}"] = partial(user.through(client(auth.port)).is_active, token)
        probes[f"id_token_hint {number}"] = partial(_is_hint_accepted, client(auth.port), id_token)
    while not await _all_accept(probes):  # noqa: ASYNC110 - an API fetches a new key by itself
        await asyncio.sleep(0.2)
    begin = time.monotonic()
    watching = [asyncio.create_task(_seconds_until_refused(probe, begin, interval)) for probe in probes.values()]
    await _withdraw_key(deployment, header_of(token)["kid"])
    observed = dict(zip(probes, await asyncio.gather(*watching), strict=True))
    report.check("tokens of the withdrawn key are refused everywhere", True)
    refreshed = (await user.refresh(tokens["refresh_token"]))["access_token"]
    for api in replicas.apis:
        is_accepted = await _is_accepted(client(api.port), "/whoami", refreshed)
        report.check("the refresh token gives a token that is accepted", is_accepted)
    return observed


async def _all_accept(probes: dict[str, Probe]) -> bool:
    return all([await probe() for probe in probes.values()])


async def _seconds_until_new_tokens_are_accepted(deployment: Deployment, replicas: Replicas) -> float:
    """Withdraw the signing key; return the seconds until both APIs accept all new tokens."""
    auths = [deployment.client(service.port) for service in replicas.auths]
    apis = [deployment.client(service.port) for service in replicas.apis]
    kid = header_of(await _new_token(auths[0]))["kid"]
    withdrawing = asyncio.create_task(_withdraw_key(deployment, kid))
    begin = last_refusal = time.monotonic()
    while (now := time.monotonic()) < begin + 10:
        for auth in auths:
            token = await _new_token(auth)
            if not all([await _is_accepted(api, "/whoami", token) for api in apis]):
                last_refusal = now
        await asyncio.sleep(0.05)
    await withdrawing
    return last_refusal - begin


async def _withdraw_key(deployment: Deployment, kid: str) -> None:
    """Do what `keys withdraw` does, without the second that a process needs to start."""
    settings = read_config(deployment.config)
    store = Store.open(settings.database_url)
    try:
        master_key = MasterKey.load(settings.master_key, may_create=False)
        assert await KeyRing.from_lifetimes(store, master_key, system_clock, settings.lifetimes).withdraw(kid)
    finally:
        await store.close()


async def _seconds_until_refused(probe: Probe, begin: float, interval: float) -> float:
    """Return when the last acceptance was, after two seconds without any."""
    last_acceptance = begin
    while True:
        now = time.monotonic()
        if await probe():
            last_acceptance = now
        elif now - last_acceptance > 2:
            return last_acceptance - begin
        await asyncio.sleep(interval)


async def _new_token(auth: RawHTTPClient) -> str:
    tokens = (await auth.post("/token", {"grant_type": "client_credentials"}, basic(BOT))).json()
    return str(tokens["access_token"])


async def _is_accepted(http: RawHTTPClient, path: str, token: str) -> bool:
    return (await http.get(path, bearer(token))).status == 200


async def _is_hint_accepted(auth: RawHTTPClient, id_token: str) -> bool:
    query = {"response_type": "code", "client_id": APP, "redirect_uri": redirect_uri(APP), "scope": "openid"}
    query |= {"prompt": "none", "id_token_hint": id_token}
    return "error=invalid_request" not in (await auth.get(f"/authorize?{urlencode(query)}")).headers["location"]
