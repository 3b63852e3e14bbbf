"""SIGHUP replaces the workers of a server one after the other."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.forked import context
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.processes import port_of, running
from tests.support.small_server import main
from tests.support.waiting import wait_until
from tests.support.workers import ask, is_alive, workers_of

SMALL = "tests.support.small_server"


class Reloading:
    """A server with two workers, whose configuration is the word in a file. Its log has other lines with each test."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.port = port_of(process)

    def configure(self, word: str) -> None:
        (self.folder / "configuration").write_text(word)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    @property
    def workers(self) -> set[int]:
        return workers_of(self.process)

    @property
    def serving_configurations(self) -> set[str]:
        return {ask(self.port)["fault"] for _ in range(20)}

    def count(self, *parts: str) -> int:
        """The number of log lines that contain all `parts`."""
        return sum(all(part in line for part in parts) for line in self.log)

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    @contextmanager
    def reloaded(self) -> Iterator[None]:
        """Wait at the end of the block until one more reload has ended and the old workers have exited."""
        before = self.count('"reloaded"')
        yield
        wait_until(lambda: self.count('"reloaded"') > before and len(self.workers) == 2)


@contextmanager
def reloading(folder: Path, *timeouts: str) -> Iterator[Reloading]:
    (folder / "configuration").write_text("first")
    with (
        (folder / "log").open("w") as log,
        running(SMALL, "0", "2", f"file:{folder}/configuration", *timeouts, stderr=log.fileno()) as process,
    ):
        yield Reloading(process, folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloading]:
    with reloading(tmp_path_factory.mktemp("reload")) as server:
        yield server


def test_sighup_replaces_every_worker_reads_the_configuration_again_and_answers_running_requests(
    server: Reloading,
) -> None:
    old = server.workers
    server.configure("second")
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as slow, slow.makefile("rb") as answer:
        slow.sendall(b"GET /begun HTTP/1.1\r\nHost: small\r\n\r\n")
        assert answer.readline().startswith(b"HTTP/1.1 200")  # so an old worker has read the request
        with server.reloaded():
            os.killpg(server.process.pid, signal.SIGHUP)  # a worker ignores it
        assert answer.read().endswith(b"\r\n\r\nthe end")
    assert not server.workers & old
    assert server.serving_configurations == {"second"}
    assert server.count('"error"') == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("unreadable", "the test wants an unreadable configuration"),
        ("misconfigured", "status 2"),
        ("broken", "status 1"),
        ("lifespan", "status 3"),
    ],
)
def test_replacement_that_fails_to_start_aborts_the_reload_and_the_old_workers_stay(
    server: Reloading, fault: str, reason: str
) -> None:
    old, configurations = server.workers, server.serving_configurations
    aborted = server.count("the reload is aborted")
    server.configure(fault)
    server.reload()
    wait_until(lambda: server.count("the reload is aborted") == aborted + 1)
    last = next(line for line in reversed(server.log) if "the reload is aborted" in line)
    assert reason in last
    assert '"level": "error"' in last
    assert server.workers == old
    assert server.serving_configurations == configurations
    # A worker that is replaced later gets the configuration of the others.
    os.kill(min(old), signal.SIGKILL)
    wait_until(lambda: min(old) not in server.workers and len(server.workers) == 2)
    wait_until(lambda: server.serving_configurations == configurations)
    assert server.workers > old - {min(old)}


def test_signals_during_a_reload_cause_one_more_reload(server: Reloading, tmp_path: Path) -> None:
    old, begun, ended = server.workers, server.count("reloading"), server.count('"reloaded"')
    server.configure(f"wait {tmp_path}/start")
    server.reload()
    wait_until(lambda: len(server.workers) == 3)  # the replacement waits
    for _ in range(3):
        server.reload()
    server.configure("third")
    (tmp_path / "start").touch()
    wait_until(lambda: server.count('"reloaded"') == ended + 2)
    wait_until(lambda: len(server.workers) == 2)
    assert not server.workers & old
    assert server.serving_configurations == {"third"}
    victim = min(server.workers)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: server.count(f"process {victim} ended") == 1)  # so the parent has had time for a third one
    wait_until(lambda: len(server.workers) == 2)
    assert server.count("reloading") == begun + 2


@pytest.mark.parametrize("dies", ["outdated", "new"])
def test_worker_that_dies_during_a_reload_is_replaced(server: Reloading, tmp_path: Path, dies: str) -> None:
    old = server.workers
    server.configure(f"wait {tmp_path}/start")
    server.reload()
    wait_until(lambda: len(server.workers) == 3)
    if dies == "outdated":
        victim = max(old)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.count(f"process {victim} ended with status -9 and is replaced") == 1)
        with server.reloaded():
            (tmp_path / "start").touch()
        assert not server.workers & old
    else:
        (victim,) = server.workers - old
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.count("the reload is aborted", f"process {victim} ended with status -9") == 1)
        assert server.workers == old
    assert ask(server.port)["pid"] in server.workers


def test_replacement_that_does_not_start_in_time_aborts_the_reload(tmp_path: Path) -> None:
    with reloading(tmp_path, "30", "1") as server:
        old = server.workers
        server.configure(f"wait {tmp_path}/never")
        server.reload()
        wait_until(lambda: server.count("the reload is aborted", "did not accept connections within 1 s") == 1)
        wait_until(lambda: server.workers == old)
        assert ask(server.port)["fault"] == "first"


def test_sigterm_during_a_reload_stops_everything(tmp_path: Path) -> None:
    with reloading(tmp_path) as server:
        server.configure(f"wait {tmp_path}/never")
        server.reload()
        wait_until(lambda: len(server.workers) == 3)
        workers = server.workers
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        wait_until(lambda: not any(map(is_alive, workers)))
        assert server.count('"error"') == 0


def test_server_with_one_process_ignores_sighup_with_a_warning(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, running(SMALL, "0", "1", stderr=log.fileno()) as process:
        port = port_of(process)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP was ignored" in (tmp_path / "log").read_text())
        assert ask(port)["pid"] == process.pid


def serve_on_terminal(terminal: str, port: int, workers: int) -> None:
    os.setsid()
    os.open(terminal, os.O_RDWR)  # it becomes the controlling terminal of the new session
    main(str(port), str(workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_server_stops_when_its_terminal_is_closed(workers: int) -> None:
    terminal, end = os.openpty()
    port = free_port()
    process = context.Process(target=serve_on_terminal, args=(os.ttyname(end), port, workers))
    process.start()
    os.close(end)
    try:
        wait_until(lambda: answers(port))
    finally:
        os.close(terminal)  # the kernel sends SIGHUP
    process.join(PATIENCE)
    assert process.exitcode == 0


def answers(port: int) -> bool:
    try:
        return bool(ask(port))
    except OSError:
        return False
