"""Keys under load, with real processes: rotations, a theft, and another master key.

There are two auth processes on one store, and two APIs, each of which fetches its keys from another one of them; their
clocks differ by up to half a minute either way.
"""

import asyncio
import base64
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

import httpx

from auth_service.config_file import read_config
from auth_service.sealing import MasterKey
from auth_service.tokens.key_ring import KeyRing
from bench.processes import free_port
from bench.reliability.outcome import Findings
from tallystick.clock import system_clock
from tallystick.store import Store
from tests.support.declared import NOTES, declared_settings, declared_toml
from tests.support.postgres import PostgreSQL
from tests.support.processes import ROOT
from tests.support.relying_party import Browser, RelyingParty, header_of

WITHDRAWN_WITHIN = 5.0
AHEAD = 10
"""Seconds: the shortest that can be set."""
Probe = Callable[[], Awaitable[bool]]

AUTH_SKEWS, API_SKEWS = (0, 30), (0, -25)
"""Seconds that the services' clocks are ahead of ours."""
SKEWED = """
import runpy, time, tallystick.clock
tallystick.clock.system_clock = lambda: int(time.time()) + {skew}
runpy.run_module("{module}", run_name="__main__")
"""

PAUSE = 0.02
"""Seconds that each of the load's loops rests, so that what is measured is the keys and not the machine's end."""


@dataclass
class Site:
    """Two auth services and two APIs that run, and the clients that reach them in turn."""

    folder: Path
    auth: list[httpx.AsyncClient]
    apis: list[httpx.AsyncClient]
    failures: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    kids: set[str] = field(default_factory=set)

    @property
    def config(self) -> Path:
        return self.folder / "tallystick.toml"

    def bot(self, http: httpx.AsyncClient) -> RelyingParty:
        return self._relying_party("bot", http)

    def app(self, http: httpx.AsyncClient) -> RelyingParty:
        return self._relying_party("app-one", http)

    def _relying_party(self, client_id: str, http: httpx.AsyncClient) -> RelyingParty:
        declared = next(one for one in declared_settings("sqlite:///unused").client if one.client_id == client_id)
        return RelyingParty(declared, http, Browser(http, self.issuer))

    @property
    def issuer(self) -> str:
        return read_config(self.config).issuer

    async def command(self, *words: str) -> str:
        """A command of the auth service, in a process of its own. Raises RuntimeError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth_service", *words, "--config", str(self.config)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(errors.decode())
        return output.decode()

    async def whoami(self, api: httpx.AsyncClient, access_token: str) -> httpx.Response:
        return await api.get("/whoami", headers={"Authorization": f"Bearer {access_token}"})

    def note(self, what: str, response: httpx.Response) -> bool:
        """Count it, and whether it was well."""
        self.requests[what] += 1
        if not response.is_success:
            self.failures.append(f"{what}: {response.status_code} {response.text[:200]}")
        return response.is_success

    async def published(self, http: httpx.AsyncClient) -> set[str]:
        return {key["kid"] for key in (await http.get("/jwks")).json()["keys"] if key["alg"] == "ES256"}


@asynccontextmanager
async def site(engine: str, **lifetimes: int) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallystick-")))
        folder.chmod(0o755)  # noqa: ASYNC240
        database_url = f"sqlite:///{folder}/auth.db"
        if engine == "postgresql":
            postgresql = await asyncio.to_thread(PostgreSQL, folder)
            await asyncio.to_thread(postgresql.start)
            stack.callback(postgresql.stop)
            database_url = postgresql.url("postgres")
        ports = [free_port(), free_port()]
        issuer = f"http://localhost:{ports[0]}"
        config = folder / "tallystick.toml"
        settings = {"issuer": issuer, "master_key": f"file:{folder}/master.key", "lifetimes": lifetimes}
        config.write_text(declared_toml(database_url, **settings))
        auth = [
            await serving(stack, "auth_service", config, port, skew=skew)
            for port, skew in zip(ports, AUTH_SKEWS, strict=True)
        ]
        apis = []
        for number, (port, skew) in enumerate(zip(ports, API_SKEWS, strict=True)):
            its = folder / f"notes-{number}.toml"
            its.write_text(
                f'audience = "{NOTES}"\nissuer = "{issuer}"\njwks_uri = "http://localhost:{port}/jwks"\n'
                f'database_url = "sqlite:///{folder}/notes-{number}.db"\n'
            )
            apis.append(await serving(stack, "resource_service", its, free_port(), skew=skew))
        yield Site(folder, auth, apis)


async def serving(stack: AsyncExitStack, module: str, config: Path, port: int, *, skew: int = 0) -> httpx.AsyncClient:
    """A client of a server that listens until `stack` is unwound, with its clock `skew` seconds ahead of ours.

    Raises RuntimeError when it does not come up.
    """
    log = stack.enter_context(config.with_suffix(".log").open("ab"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SKEWED.format(skew=skew, module=module)),
        *("serve", "--config", str(config), "--port", str(port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
    )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    assert process.stdout is not None
    if b"listens on" not in await process.stdout.readline():
        raise RuntimeError(config.with_suffix(".log").read_text()[-2000:])
    http = httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=30, trust_env=False)
    return await stack.enter_async_context(http)


# The load


@asynccontextmanager
async def under_load(site: Site) -> AsyncIterator[None]:
    """Bots and people at all services in turn, and a stranger who makes up kids all the while."""
    over = asyncio.Event()
    loops = [
        *(asyncio.create_task(_bot(site, over, first=number)) for number in range(2)),
        *(asyncio.create_task(_person(site, over, first=number)) for number in range(2)),
        asyncio.create_task(_stranger(site, over)),
    ]
    try:
        yield
    finally:
        over.set()
        await asyncio.gather(*loops)


async def _bot(site: Site, over: asyncio.Event, *, first: int) -> None:
    auth, apis = cycle(site.auth[first:] + site.auth[:first]), cycle(site.apis)
    while not over.is_set():
        response = await site.bot(next(auth)).client_credentials()
        if site.note("client_credentials", response):
            await _use(site, response.json()["access_token"], next(apis))
        await asyncio.sleep(PAUSE)


async def _person(site: Site, over: asyncio.Event, *, first: int) -> None:
    here = site.app(site.auth[first])
    tokens = await here.tokens(scope="openid notes:read offline_access")
    auth, apis = cycle(site.auth), cycle(site.apis[first:] + site.apis[:first])
    while not over.is_set():
        response = await site.app(next(auth)).refresh(tokens["refresh_token"])
        if site.note("refresh", response):
            tokens = response.json()
            await _use(site, tokens["access_token"], next(apis))
            site.note("userinfo", await site.app(next(auth)).userinfo(tokens["access_token"]))
            next(auth)
        await asyncio.sleep(PAUSE)


async def _use(site: Site, access_token: str, api: httpx.AsyncClient) -> None:
    site.kids.add(header_of(access_token)["kid"])
    site.note("whoami", await site.whoami(api, access_token))


async def _stranger(site: Site, over: asyncio.Event) -> None:
    """Each of these makes an API ask for the keys, as far as strangers can: at most once in its cooldown."""
    while not over.is_set():
        for api in site.apis:
            kid = secrets.token_urlsafe(32)
            header = base64.urlsafe_b64encode(f'{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}'.encode()).rstrip(b"=")
            response = await site.whoami(api, f"{header.decode()}.e30.{'A' * 86}")
            site.requests["made-up kids refused" if response.status_code == 401 else "made-up kids?"] += 1
        await asyncio.sleep(5 * PAUSE)


# The scenarios


async def rotations(engine: str, findings: Findings, *, count: int) -> None:
    """Zero failed requests over `count` rotations, each published as short ahead of its time as can be set."""
    async with site(engine, signing_key_ahead=AHEAD) as running, under_load(running):
        for _ in range(count):
            published = (await running.command("keys", "rotate")).split()[1]
            while published not in running.kids:  # noqa: ASYNC110 - the load tells nobody
                await asyncio.sleep(0.1)
    _tell_requests(running, findings)


async def withdrawal(engine: str, findings: Findings, *, count: int) -> None:
    """From the withdrawal on: until when the tokens of a stolen key were believed, in seconds; the longest of `count`.

    The APIs have verified and remember them, and nothing but time makes them look at the keys again. Then once more
    with new tokens all the while: until when any of those was refused.
    """
    longest: dict[str, float] = {}
    async with site(engine, signing_key_ahead=AHEAD) as running:
        for _ in range(count):
            await asyncio.sleep(random.uniform(0, 4))
            for name, seconds in (await _withdraw_and_watch(running)).items():
                longest[name] = max(seconds, longest.get(name, 0.0))
        kid = header_of((await running.bot(running.auth[0]).client_credentials()).json()["access_token"])["kid"]
        renewed = asyncio.create_task(_until_renewed(running, time.monotonic()))
        await _withdraw(running, kid)
        for name, seconds in longest.items():
            words = f"what the stolen key signed is refused everywhere within {WITHDRAWN_WITHIN:.0f} s"
            findings.promise(words, seconds <= WITHDRAWN_WITHIN, f"{name}: {seconds:.1f} s")
        shown = ", ".join(f"{name} {value:.1f}" for name, value in longest.items())
        findings.figures.append(f"believed for at most, in s: {shown}")
        findings.figures.append(f"new tokens refused here and there for {await renewed:.1f} s")


async def _withdraw_and_watch(running: Site) -> dict[str, float]:
    here = [running.app(http) for http in running.auth]
    tokens = await here[0].tokens(scope="openid notes:read")
    token, id_token = tokens["access_token"], tokens["id_token"]
    probes: dict[str, Probe] = {}
    for number in range(2):
        probes[f"api {number}"] = partial(_is_believed, running, running.apis[number], token)
        probes[f"userinfo {number}"] = partial(_has_userinfo, here[number], token)
        probes[f"introspection {number}"] = partial(_is_active, here[number], token)
        probes[f"id_token_hint {number}"] = partial(_takes_hint, here[number], id_token)
    async with asyncio.timeout(30):
        while not all([await probe() for probe in probes.values()]):  # noqa: ASYNC110 - an API learns the key by itself
            await asyncio.sleep(0.2)
    begin = time.monotonic()
    watching = [asyncio.create_task(_until_not(probe, begin)) for probe in probes.values()]
    await _withdraw(running, header_of(token)["kid"])
    return dict(zip(probes, await asyncio.gather(*watching), strict=True))


async def _withdraw(running: Site, kid: str) -> None:
    """As `keys withdraw` does, without the second that a process needs to start."""
    settings = read_config(running.config)
    store = Store.open(settings.database_url)
    try:
        master_key = MasterKey.load(settings.master_key, may_create=False)
        assert await KeyRing.of(store, master_key, system_clock, settings.lifetimes).withdraw(kid)
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


async def _until_renewed(running: Site, begin: float) -> float:
    last = begin
    while time.monotonic() < begin + 10:
        for auth in running.auth:
            asked = time.monotonic()
            token = (await running.bot(auth).client_credentials()).json()["access_token"]
            if not all([await _is_believed(running, api, token) for api in running.apis]):
                last = asked
        await asyncio.sleep(0.05)
    return last - begin


async def _is_believed(running: Site, api: httpx.AsyncClient, token: str) -> bool:
    return (await running.whoami(api, token)).status_code == 200


async def _has_userinfo(rp: RelyingParty, token: str) -> bool:
    return (await rp.userinfo(token)).status_code == 200


async def _is_active(rp: RelyingParty, token: str) -> bool:
    return bool((await rp.introspect(token)).json()["active"])


async def _takes_hint(rp: RelyingParty, id_token: str) -> bool:
    response = await rp.http.get(rp.authorization_url(id_token_hint=id_token, prompt="none"))
    return "error=invalid_request" not in response.headers["location"]


async def master_key(engine: str, findings: Findings) -> None:
    """Another master key meanwhile: the new one beside the old, then before it, all sealed anew, the old one gone."""
    async with AsyncExitStack() as stack:
        # A key signs for as short as can be, so that the processes that were there before make new ones by themselves.
        running = await stack.enter_async_context(site(engine, signing_key=AHEAD + 1, signing_key_ahead=AHEAD))
        file = running.folder / "master.key"
        old, new = file.read_text().strip(), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        said = []
        async with under_load(running):
            file.write_text(f"{old}\n{new}\n")
            await asyncio.sleep(2)
            file.write_text(f"{new}\n{old}\n")
            said += [(await running.command("keys", "reseal")).strip() for _ in range(2)]
            before = await running.published(running.auth[0])
            file.write_text(f"{new}\n")
            while before >= running.kids:  # noqa: ASYNC110 - until one of them signs with a key made since
                await asyncio.sleep(0.2)
        # Whoever starts now has nothing but the new key.
        await serving(stack, "auth_service", running.config, free_port())
    findings.promise("all is sealed anew, and once", said[0].startswith("sealed") and said[1] == "nothing to do", said)
    findings.promise("a process that starts with the new key alone serves", True)
    _tell_requests(running, findings)


def _tell_requests(running: Site, findings: Findings) -> None:
    findings.promise("not one request fails", not running.failures, Counter(running.failures))
    findings.figures.append(f"{sum(running.requests.values()):,} requests, tokens by {len(running.kids)} keys")
