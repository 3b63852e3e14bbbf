"""How a server starts and stops, alone and with workers."""

import os
import signal
import socket

import pytest

from tests.support.patience import PATIENCE
from tests.support.processes import port_of, running
from tests.support.waiting import wait_until
from tests.support.workers import ask, is_alive, workers_of

SMALL = "tests.support.small_server"


def test_it_listens_on_both_loopback_addresses_and_prints_one_line() -> None:
    with running(SMALL, "0", "1") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("small listens on http://localhost:")
        port = int(line.rsplit(":", 1)[1])
        assert ask(port)["client"] == "127.0.0.1"
        if socket.has_ipv6:
            assert ask(port, host="[::1]")["client"] == "::1"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_running_requests_and_exits_with_status_0(workers: int, end: signal.Signals) -> None:
    with running(SMALL, "0", str(workers)) as process:
        port = port_of(process)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow, slow.makefile("rb") as answer:
            slow.sendall(b"GET /begun HTTP/1.1\r\nHost: small\r\n\r\n")
            assert answer.readline().startswith(b"HTTP/1.1 200")  # so the server has read the request
            os.killpg(process.pid, end) if end == signal.SIGINT else process.send_signal(end)  # as Ctrl-C does
            assert answer.read().endswith(b"\r\n\r\nthe end")
        output, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, output, "Traceback" in errors) == (0, "", False)


def test_a_port_in_use_is_one_line_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(SMALL, str(port), "1") as process:
            output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (2, "")
    assert errors == f"small: port {port} on 127.0.0.1 is in use by another program\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_misconfiguration_found_by_the_factory_is_one_line_and_status_2(workers: int) -> None:
    with running(SMALL, "0", str(workers), "misconfigured") as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (2, "")
    assert set(errors.splitlines()) == {"small: the test wants a misconfiguration"}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("fault", ["broken", "lifespan"])
def test_a_failed_start_is_logged_and_not_retried(workers: int, fault: str) -> None:
    with running(SMALL, "0", str(workers), fault) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode not in {0, 2}
    assert output == ""
    assert "the test wants a failing" in errors


def test_workers_stay_in_the_process_group_and_a_killed_worker_is_replaced() -> None:
    with running(SMALL, "0", "2") as process:
        port = port_of(process)
        first = workers_of(process)
        assert len(first) == 2
        assert {os.getpgid(pid) for pid in first} == {process.pid}
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(workers_of(process) - first) == 1)
        survivors = workers_of(process)
        assert victim not in survivors
        assert ask(port)["pid"] in survivors
        process.terminate()
        assert process.wait(PATIENCE) == 0
        wait_until(lambda: not any(map(is_alive, survivors)))


def test_workers_end_when_their_parent_is_killed() -> None:
    with running(SMALL, "0", "2") as process:
        port_of(process)
        workers = workers_of(process)
        process.kill()
        wait_until(lambda: not any(map(is_alive, workers)))
