"""`make run`, with small servers in place of the services: each failure is reported with one line."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from auth_service.settings.settings import Settings
from deploy.demo.demo_files import AUTH, DEFAULT_PORTS, TEMPLATES, DemoFiles
from deploy.demo.servers import demo_servers
from deploy.local.supervisor import Server, SupervisorError, refuse_taken_ports, supervise


@pytest.fixture
def files(tmp_path: Path) -> DemoFiles:
    files = DemoFiles((20100, 20101, 20111, 20112, 20113), tmp_path / "var")
    files.prepare()
    return files


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def server(name: str, folder: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)]
    return Server(name, command, port, f"http://127.0.0.1:{port}/")


def is_listening(server: Server) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", server.port)) == 0


def test_generated_configuration_differs_from_the_template_only_by_ports_and_folder(files: DemoFiles) -> None:
    text = files.auth_toml.read_text()
    for ours, default in zip(files.ports, DEFAULT_PORTS, strict=True):
        text = text.replace(f":{ours}", f":{default}")
    assert text.replace(f"{files.var}/", "var/") == (TEMPLATES / "auth.toml").read_text()


def test_secrets_are_generated_once_and_readable_by_their_owner_only(files: DemoFiles) -> None:
    first = files.secret("app-one")
    files.prepare()
    assert files.secret("app-one") == first
    assert len(first) >= 32
    for path in files.auth_toml.parent.glob("*.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_secrets_declared_as_file_are_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README adds clients to the demo's configuration, also with a secret in the file itself."""
    folder = tmp_path / "demo"
    folder.mkdir()
    clients = "".join(
        f'[[client]]\nclient_id = "{number}"\nclient_secret = "{secret}"\n'
        for number, secret in enumerate(("env:MY_SECRET", "a/secret/that/is/written/out", f"file:{tmp_path}/made"))
    )
    (folder / "auth.toml").write_text(clients)
    (folder / "resource.toml").write_text("")
    monkeypatch.setattr("deploy.demo.demo_files.TEMPLATES", folder)
    monkeypatch.chdir(tmp_path)
    DemoFiles((20100, 20101, 20111, 20112, 20113), tmp_path / "var").prepare()
    assert {path.name for path in tmp_path.iterdir()} == {"demo", "var", "made"}


def test_process_arguments_contain_no_secret(files: DemoFiles) -> None:
    secrets = {files.secret(client_id) for client_id in ("app-one", "app-two", "notes-bot")}
    for demo_server in demo_servers(files):
        assert not secrets & set(demo_server.command)


def test_auth_service_accepts_the_demo_configuration(files: DemoFiles) -> None:
    settings = Settings.model_validate(tomllib.loads(files.auth_toml.read_text()))
    assert settings.issuer == f"http://localhost:{files.port(AUTH)}"


def test_port_in_use_is_reported_with_the_server_that_needs_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SupervisorError, match=rf"^port {port}, which the notes API needs, is in use"):
            refuse_taken_ports([Server("notes API", [], port, "")])


async def test_stop_signal_stops_all_servers_without_an_error(tmp_path: Path) -> None:
    servers = [server("one", tmp_path), server("two", tmp_path)]
    were_ready: list[bool] = []

    def stop_when_ready() -> None:
        were_ready.extend(is_listening(one) for one in servers)
        os.kill(os.getpid(), signal.SIGTERM)

    await supervise(servers, stop_when_ready, logs=tmp_path)
    assert were_ready == [True, True]
    assert not any(is_listening(one) for one in servers)


async def test_exit_of_one_server_stops_the_others_and_reports_its_last_log_line(tmp_path: Path) -> None:
    exiting = Server(
        "short", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"], 0, "http://[::1]:9/"
    )
    healthy = server("healthy", tmp_path)
    with pytest.raises(SupervisorError, match=r"^the short ended with status 3: no such table "):
        await supervise([healthy, exiting], lambda: None, logs=tmp_path)
    assert not is_listening(healthy)


async def test_killed_server_is_reported_with_the_signal(tmp_path: Path) -> None:
    kill_self = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    killed = Server("app", [sys.executable, "-c", kill_self], 0, "http://[::1]:9/")
    with pytest.raises(SupervisorError, match=r"^the app was killed by SIGKILL "):
        await asyncio.wait_for(supervise([killed], lambda: None, logs=tmp_path), 30)


def test_missing_library_of_the_single_page_app_is_reported_before_a_server_starts(tmp_path: Path) -> None:
    options = ("--spa", "--spa-library", str(tmp_path / "missing.js"), "--var", str(tmp_path / "var"))
    ended = subprocess.run([sys.executable, "-m", "deploy.demo", *options], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "oidc-client-ts is missing; `npm ci --ignore-scripts --prefix examples/spa` gets it" in ended.stderr
    assert not (tmp_path / "var").exists()
