"""What `make run` promises, with small servers in place of ours: one line for every way it cannot go on."""

import asyncio
import os
import signal
import socket
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from auth_service.settings.settings import Settings
from deploy.demo.place import AUTH, DEFAULT_PORTS, HERE, Place
from deploy.demo.servers import servers_of
from deploy.demo.supervisor import DemoFailed, Server, refuse_taken_ports, supervise


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place((20100, 20101, 20111, 20112), tmp_path / "var")
    place.prepare()
    return place


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


def test_another_place_differs_from_the_contract_by_its_ports_and_its_folder_alone(place: Place) -> None:
    text = place.auth_toml.read_text()
    for ours, default in zip(place.ports, DEFAULT_PORTS, strict=True):
        text = text.replace(f":{ours}", f":{default}")
    assert text.replace(f"{place.var}/", "var/") == (HERE / "auth.toml").read_text()


def test_secrets_are_made_once_and_can_be_read_by_their_owner_alone(place: Place) -> None:
    first = place.secret("app-one")
    place.prepare()
    assert place.secret("app-one") == first
    assert len(first) >= 32
    for path in place.auth_toml.parent.glob("*.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_a_secret_that_is_a_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README adds clients to the demo's configuration, also with a secret that is written out."""
    folder = tmp_path / "demo"
    folder.mkdir()
    clients = "".join(
        f'[[client]]\nclient_id = "{number}"\nclient_secret = "{secret}"\n'
        for number, secret in enumerate(("env:MY_SECRET", "a/secret/that/is/written/out", f"file:{tmp_path}/made"))
    )
    (folder / "auth.toml").write_text(clients)
    (folder / "resource.toml").write_text("")
    monkeypatch.setattr("deploy.demo.place.HERE", folder)
    monkeypatch.chdir(tmp_path)
    Place((20100, 20101, 20111, 20112), tmp_path / "var").prepare()
    assert {path.name for path in tmp_path.iterdir()} == {"demo", "var", "made"}


def test_no_secret_stands_in_the_arguments_of_a_process(place: Place) -> None:
    secrets = {place.secret(client_id) for client_id in ("app-one", "app-two", "notes-bot")}
    for one in servers_of(place):
        assert not secrets & set(one.command)


def test_the_configuration_that_is_shipped_is_one_that_the_auth_service_takes(place: Place) -> None:
    settings = Settings.model_validate(tomllib.loads(place.auth_toml.read_text()))
    assert settings.issuer == f"http://localhost:{place.port(AUTH)}"


def test_a_port_in_use_is_named_together_with_who_needs_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(DemoFailed, match=rf"^port {port}, which the notes API needs, is in use"):
            refuse_taken_ports([Server("notes API", [], port, "")])


async def test_a_stop_signal_stops_all_servers_and_is_no_failure(tmp_path: Path) -> None:
    servers = [server("one", tmp_path), server("two", tmp_path)]
    were_ready: list[bool] = []

    def stop_when_ready() -> None:
        were_ready.extend(is_listening(one) for one in servers)
        os.kill(os.getpid(), signal.SIGTERM)

    await supervise(servers, stop_when_ready, logs=tmp_path)
    assert were_ready == [True, True]
    assert not any(is_listening(one) for one in servers)


async def test_when_one_server_ends_the_others_are_stopped_and_its_last_words_are_told(tmp_path: Path) -> None:
    dying = Server("short", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"], 0, "http://[::1]:9/")
    healthy = server("healthy", tmp_path)
    with pytest.raises(DemoFailed, match=r"^the short ended with status 3: no such table "):
        await supervise([healthy, dying], lambda: None, logs=tmp_path)
    assert not is_listening(healthy)


async def test_a_server_that_is_killed_is_named_with_the_signal(tmp_path: Path) -> None:
    suicide = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    killed = Server("app", [sys.executable, "-c", suicide], 0, "http://[::1]:9/")
    with pytest.raises(DemoFailed, match=r"^the app was killed by SIGKILL "):
        await asyncio.wait_for(supervise([killed], lambda: None, logs=tmp_path), 30)
