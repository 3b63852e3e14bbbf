"""/metrics of any worker process shows all of them, and the counters of those that have exited."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.auth_process import auth_process
from tests.support.declared import declared_toml, secret_of
from tests.support.notes_process import notes_process
from tests.support.patience import PATIENCE
from tests.support.relying_party import basic
from tests.support.scraping import Numbers, numbers_in
from tests.support.waiting import until_it_is

ISSUER = "http://localhost:8000"
ISSUED = 'tallystick_tokens_issued_total{grant_type="client_credentials"}'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
def port(auth_postgresql_url: str, tmp_path: Path, metrics_port: int) -> Iterator[int]:
    """The port of a service with two processes."""
    config = tmp_path / "tallystick.toml"
    config.write_text(declared_toml(auth_postgresql_url, issuer=ISSUER))
    with auth_process(config, "--workers", "2", "--metrics-port", str(metrics_port)) as port:
        yield port


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Each request uses its own connection, so that all processes get requests."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits) as client:
        yield client


async def issue(http: httpx.AsyncClient, port: int, *, at_once: int) -> int:
    """Send `at_once` concurrent token requests and return how many succeeded."""
    headers = {"Authorization": basic("bot", secret_of("bot"))}
    form = {"grant_type": "client_credentials"}
    asked = [http.post(f"http://127.0.0.1:{port}/token", data=form, headers=headers) for _ in range(at_once)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return sum(isinstance(answer, httpx.Response) and answer.status_code == 200 for answer in answers)


async def numbers(http: httpx.AsyncClient, metrics_port: int) -> Numbers:
    return numbers_in((await http.get(f"http://127.0.0.1:{metrics_port}/metrics")).raise_for_status().text)


async def test_counters_of_all_processes_are_summed(http: httpx.AsyncClient, port: int, metrics_port: int) -> None:
    issued = await issue(http, port, at_once=60)
    assert issued > 0
    for _ in range(8):  # any process may answer
        seen = await numbers(http, metrics_port)
        assert seen[ISSUED] == issued
        assert seen["tallystick_processes"] == 2
    assert seen['tallystick_request_duration_seconds_count{endpoint="/token"}'] == 60


async def test_metrics_port_serves_only_metrics_and_the_other_port_none(
    http: httpx.AsyncClient, port: int, metrics_port: int
) -> None:
    assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404
    assert (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    assert (await http.get(f"http://127.0.0.1:{metrics_port}/healthz")).status_code == 404
    assert (await http.post(f"http://127.0.0.1:{metrics_port}/token")).status_code == 404


async def test_counters_of_a_killed_process_are_kept(http: httpx.AsyncClient, port: int, metrics_port: int) -> None:
    issued = await issue(http, port, at_once=60)
    supervisor = supervisor_of(port)
    victim = min(child.pid for child in supervisor.children())
    before = await numbers(http, metrics_port)
    os.kill(victim, signal.SIGKILL)

    async def is_replaced() -> bool:
        try:
            seen = await numbers(http, metrics_port)
        except httpx.HTTPError:
            return False  # the connection belonged to the killed process
        assert seen[ISSUED] >= issued
        # The parent may not have noticed yet that the killed process is dead.
        return seen["tallystick_processes"] == 2 and replaced_processes(before, seen) > 0

    await until_it_is(is_replaced)
    after = await numbers(http, metrics_port)
    assert after[ISSUED] == issued
    assert replaced_processes(before, after) == 1
    assert victim not in {child.pid for child in supervisor.children()}
    issued += await issue(http, port, at_once=30)
    assert (await numbers(http, metrics_port))[ISSUED] == issued


async def test_counters_are_kept_over_reloads(http: httpx.AsyncClient, port: int, metrics_port: int) -> None:
    issued = await issue(http, port, at_once=60)
    supervisor = supervisor_of(port)
    for _ in range(2):  # the second one uses all parts of the memory again
        before = {child.pid for child in supervisor.children()}
        supervisor.send_signal(signal.SIGHUP)

        async def is_done(before: set[int] = before) -> bool:
            now = {child.pid for child in supervisor.children()}
            return len(now) == 2 and not now & before

        await until_it_is(is_done)
        after = await numbers(http, metrics_port)
        assert (after[ISSUED], after["tallystick_processes"]) == (issued, 2)
        assert sum(name.startswith("tallystick_process_start_time_seconds") for name in after) == 2
        issued += await issue(http, port, at_once=30)
        assert (await numbers(http, metrics_port))[ISSUED] == issued


def test_metrics_port_that_is_taken_or_used_twice_stops_the_start(tmp_path: Path) -> None:
    port = free_port()
    with (
        pytest.raises(AssertionError, match="is the service's own port"),
        notes_process(tmp_path, "--port", str(port), "--metrics-port", str(port)),
    ):
        pass
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(AssertionError, match="is in use by another program"),
        notes_process(tmp_path, "--metrics-port", str(taken.getsockname()[1])),
    ):
        pass


async def test_the_notes_api_sums_its_processes(http: httpx.AsyncClient, tmp_path: Path) -> None:
    metrics_port = free_port()
    with notes_process(tmp_path, "--workers", "2", "--metrics-port", str(metrics_port)) as api:
        bearer = {"Authorization": f"Bearer {api.access_token()}"}
        for _ in range(20):
            assert (await http.get(f"{api.url}/whoami", headers=bearer)).status_code == 200
        seen = await numbers(http, metrics_port)
        assert seen['tallystick_verifier_verdicts_total{verdict="accepted"}'] == 20
        assert seen["tallystick_processes"] == 2
        assert (await http.get(f"{api.url}/metrics")).status_code == 404


def replaced_processes(before: Numbers, after: Numbers) -> int:
    starts = [name for name in after if name.startswith("tallystick_process_start_time_seconds")]
    return sum(before[name] != after[name] for name in starts)


def supervisor_of(port: int) -> psutil.Process:
    (found,) = {process for process in psutil.process_iter() if _listens(process, port) and _is_parent(process, port)}
    return found


def _is_parent(process: psutil.Process, port: int) -> bool:
    return any(_listens(child, port) for child in process.children())


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(link.status == "LISTEN" and link.laddr.port == port for link in process.net_connections())
    except psutil.Error:
        return False
