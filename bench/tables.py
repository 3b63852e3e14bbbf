"""The tables, one function each. The measurements are short, so that all tables together take a few minutes."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import httpx

from bench.figures import Sample, compare, interleaved, show
from bench.http_rotation import rotate_over_http
from bench.login import login_form, refresh_tokens
from bench.processes import CORES, SERVER_CORE, Process, free_port, pinned, running
from bench.services import BOT, SECRET, Services, basic
from bench.wrk import CONNECTIONS, load

ROUNDS = 5
SECONDS = 2
LOGIN_SECONDS = 3
VERIFIED_SECONDS = 0.4
CLIENT_CREDENTIALS = "grant_type=client_credentials"
_HERE = Path(__file__).parent
_NODE_PROVIDER = _HERE / "node_oidc_provider"


def token_endpoint(services: Services) -> None:
    """client_credentials with client_secret_basic, compared with FastAPI alone and with node-oidc-provider."""
    with services.auth_service() as ours, _hello(services) as hello, _node(services) as node:
        contenders = {
            "ours: POST /token": lambda: load(
                ours, "/token", seconds=SECONDS, form=CLIENT_CREDENTIALS, headers=basic(BOT)
            ),
            "FastAPI hello-world": lambda: load(hello, "/", seconds=SECONDS),
        }
        if node is not None:
            contenders["node-oidc-provider: POST /token"] = lambda: load(
                node, "/token", seconds=SECONDS, form=CLIENT_CREDENTIALS, headers=basic(BOT)
            )
        samples = interleaved(contenders, rounds=ROUNDS)
    aims = {"FastAPI hello-world": 0.5, "node-oidc-provider: POST /token": 1.2}
    show(
        "Token endpoint: an ES256 access token for a client's own credentials",
        compare(samples, "ours: POST /token", aims=aims),
    )


def rotation(services: Services) -> None:
    """Durable rotations of refresh tokens on SQLite, on sixteen connections."""
    with services.auth_service() as ours:
        tokens = refresh_tokens(services, CONNECTIONS)
        bare_database = _copy(services.database)
        contenders = {
            "ours: POST /token": lambda: rotate_over_http(ours, tokens, seconds=SECONDS),
            "the bare transaction": lambda: _run_module("bench.bare_rotation", str(bare_database), str(SECONDS)),
        }
        samples = interleaved(contenders, rounds=ROUNDS)
    show(
        "Refresh rotation, durable on SQLite, 16 at once",
        compare(samples, "ours: POST /token", aims={"the bare transaction": 0.5}),
    )


def event_loop(services: Services) -> None:
    """The lag of the auth service's event loop while sixteen clients rotate refresh tokens."""
    port = services.port
    command = [sys.executable, "-m", "bench.servers.lagging", str(port), str(services.auth_toml)]
    with running(*command, port=port, ready="/readyz", log=services.folder / "lagging.log") as ours:
        tokens = refresh_tokens(services, CONNECTIONS)
        rotate_over_http(ours, tokens, seconds=1)
        lags = f"http://127.0.0.1:{port}/-/lag"
        httpx.get(lags)
        sample = rotate_over_http(ours, tokens, seconds=2 * SECONDS)
        milliseconds = json.loads(httpx.get(lags).content)
    percentiles = quantiles(milliseconds, n=100)
    row = (
        f"p50 {percentiles[49]:.1f} ms, p99 {percentiles[98]:.1f} ms, at {sample.per_second:,.0f} rotations per second"
    )
    show("Lag of the event loop under 16 concurrent rotations", [row])


def verified_get(services: Services) -> None:
    """A GET with a token in the verifier's cache, compared with the same endpoint without a check."""
    port = free_port()
    command = [sys.executable, "-m", "bench.servers.guarded", str(port), services.issuer]
    log = services.folder / "guarded.log"
    with services.auth_service(), running(*command, port=port, ready="/open", log=log) as api:
        headers = {"Authorization": f"Bearer {services.access_token()}"}
        contenders = {
            "ours: GET, token in the cache": lambda: load(api, "/verified", seconds=SECONDS, headers=headers),
            "the same endpoint, no check": lambda: load(api, "/open", seconds=SECONDS, headers=headers),
        }
        samples = interleaved(contenders, rounds=ROUNDS)
    show(
        "A verified GET with tallystick.fastapi",
        compare(samples, "ours: GET, token in the cache", aims={"the same endpoint, no check": 0.85}),
    )


def verified_drf(services: Services) -> None:
    """A view of Django REST Framework, compared with SimpleJWT and with the view alone."""
    _verified("drf")


def verified_flask(services: Services) -> None:
    """A view of Flask, compared with PyJWT in a decorator and with the view alone."""
    _verified("flask")


def verified_fastapi(services: Services) -> None:
    """An endpoint of FastAPI, compared with PyJWKClient, with joserfc and with the endpoint alone."""
    _verified("fastapi")


def _verified(adapter: str) -> None:
    """All contenders in one process, twice: see bench.verified."""
    for mode, title in (("same", "the same token each time"), ("new", "a new token each time")):
        module = f"bench.verified_{adapter}"
        command = pinned((sys.executable, "-m", module, mode, str(ROUNDS), str(VERIFIED_SECONDS)), SERVER_CORE)
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        samples = {name: [Sample(**each) for each in found] for name, found in json.loads(output).items()}
        show(f"Verified requests with tallystick.{adapter}, {title}", compare(samples, "ours", aims={}))


def logins(services: Services) -> None:
    """POST /login with the correct password, on all cores, compared with the hash alone."""
    with services.auth_service(cores=CORES) as ours:
        form = login_form(services)
        contenders = {
            "ours: POST /login": lambda: load(
                ours,
                "/login",
                seconds=LOGIN_SECONDS,
                form=form,
                headers={"Origin": services.issuer},
                connections=4 * len(CORES),
                cores=CORES,
            ),
            "argon2id alone": lambda: _run_module("bench.bare_hashing", str(LOGIN_SECONDS), cores=CORES),
        }
        samples = interleaved(contenders, rounds=ROUNDS)
    show(
        f"Logins, on {len(CORES)} cores",
        compare(samples, "ours: POST /login", aims={"argon2id alone": 0.9}),
    )


def memory_and_start(services: Services) -> None:
    """Resident memory of one process, and the time from its start to the first response with an existing database."""
    rows = [f"{'':18}{'first answer':>13}{'MB after start':>16}{'MB after 10,000 requests':>26}{'aims':>16}"]
    with services.auth_service(cores=CORES) as auth:
        rows.append(_growth("auth service", auth, "/token", "2 s, 120 MB", form=CLIENT_CREDENTIALS, headers=basic(BOT)))
        headers = {"Authorization": f"Bearer {services.access_token()}"}
        with services.resource_service(cores=CORES):
            pass  # creates the database
        with services.resource_service(cores=CORES) as notes:
            rows.append(_growth("notes API", notes, "/notes", "2 s, 90 MB", headers=headers))
    show("Memory and start of one process", rows)


def _growth(
    name: str, server: Process, path: str, aims: str, *, headers: Mapping[str, str], form: str | None = None
) -> str:
    after_start = server.resident_mb
    count = 0
    while count < 10_000:
        count += load(server, path, seconds=SECONDS, form=form, headers=headers).count
    return f"{name:18}{server.seconds_to_answer:>11.2f} s{after_start:>16.0f}{server.resident_mb:>26.0f}{aims:>16}"


@contextmanager
def _hello(services: Services) -> Iterator[Process]:
    port = free_port()
    command = [sys.executable, "-m", "bench.servers.hello", str(port)]
    with running(*command, port=port, ready="/", log=services.folder / "hello.log") as process:
        yield process


@contextmanager
def _node(services: Services) -> Iterator[Process | None]:
    """node-oidc-provider in the version of the lock file; None without npm."""
    if shutil.which("npm") is None:
        print("node-oidc-provider is left out: npm is not installed")
        yield None
        return
    if not (_NODE_PROVIDER / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=_NODE_PROVIDER, check=True)
    port = free_port()
    command = ["node", str(_NODE_PROVIDER / "server.js"), str(port)]
    env = {"NODE_ENV": "production", "BENCH_SECRET": SECRET}
    ready = "/.well-known/openid-configuration"
    with running(*command, port=port, ready=ready, log=services.folder / "node.log", env=env) as process:
        yield process


def _run_module(module: str, *arguments: str, cores: list[int] = SERVER_CORE) -> Sample:
    command = pinned((sys.executable, "-m", module, *arguments), cores)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, seconds, cpu_seconds = output.split()
    return Sample(int(count), float(seconds), float(cpu_seconds))


def _copy(database: Path) -> Path:
    copy = database.with_name("bare.db")
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    return copy
