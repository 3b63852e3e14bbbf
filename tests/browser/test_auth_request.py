"""examples/auth_request beside the demo: nginx protects a program that does not handle tokens."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from deploy.tls.servers import find_nginx
from tests.support.demo import Demo
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

CONF = ROOT / "examples" / "auth_request" / "nginx.conf"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Program(BaseHTTPRequestHandler):
    """The program behind nginx. It answers with the headers that it got."""

    def do_GET(self) -> None:
        body = f"{self.headers.get_all('X-Sub')} {self.headers['Authorization']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name that the base class uses
        pass


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


@pytest.fixture(scope="module")
def ports() -> tuple[int, ...]:
    """Of the verifier, the program and nginx."""
    return free_ports(3)


@pytest.fixture(scope="module")
def nginx(demo: Demo, ports: tuple[int, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A caller of nginx, with the program behind it. No verifier runs yet."""
    folder = tmp_path_factory.mktemp("nginx")
    conf = CONF.read_text().replace("/tmp/", f"{folder}/")
    for there, here in zip(("8020", "8021", "8022"), ports, strict=True):
        assert f"127.0.0.1:{there}" in conf
        conf = conf.replace(f"127.0.0.1:{there}", f"127.0.0.1:{here}")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY)
    (folder / "nginx.conf").write_text(conf.replace("http {", f"http {{ {temporary}"))
    with (
        ThreadingHTTPServer(("127.0.0.1", ports[1]), Program) as program,
        process(find_nginx(), "-e", "stderr", "-g", "daemon off;", "-c", str(folder / "nginx.conf")),
        httpx.Client(base_url=f"http://127.0.0.1:{ports[2]}", timeout=PATIENCE, trust_env=False) as http,
    ):
        threading.Thread(target=program.serve_forever, daemon=True).start()
        wait_until(lambda: answers(http))
        yield http
        program.shutdown()


@pytest.fixture
def verified_nginx(demo: Demo, ports: tuple[int, ...], nginx: httpx.Client) -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "uvicorn", "examples.auth_request.verifier:app", "--port", str(ports[0])]
    with process(*command, ISSUER=demo.auth, AUDIENCE=demo.api):
        wait_until(lambda: nginx.get("/").status_code == 401)
        yield nginx


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/").status_code > 0
    except httpx.TransportError:
        return False


def access_token(demo: Demo, scope: str) -> str:
    form = {"grant_type": "client_credentials", "scope": scope, "resource": demo.api}
    response = httpx.post(
        f"{demo.auth}/token", data=form, auth=("notes-bot", demo.files.secret("notes-bot")), timeout=PATIENCE
    )
    return str(response.json()["access_token"])


def call(http: httpx.Client, token: str) -> httpx.Response:
    return http.get("/", headers={"Authorization": f"Bearer {token}", "X-Sub": "somebody else"})


def test_nginx_refuses_every_request_while_the_verifier_is_away(demo: Demo, nginx: httpx.Client) -> None:
    answer = call(nginx, access_token(demo, "notes:read"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_nginx_lets_requests_with_a_valid_token_pass_and_refuses_others(
    demo: Demo, verified_nginx: httpx.Client
) -> None:
    valid = access_token(demo, "notes:read")
    passed = call(verified_nginx, valid)
    assert (passed.status_code, passed.text) == (200, "['notes-bot'] None"), "with one X-Sub, and without the token"
    without = verified_nginx.get("/")
    assert (without.status_code, without.headers["WWW-Authenticate"].partition(" ")[0]) == (401, "Bearer")
    assert "error=" not in without.headers["WWW-Authenticate"]
    forged = call(verified_nginx, valid[:-4] + "AAAA")
    assert (forged.status_code, 'error="invalid_token"' in forged.headers["WWW-Authenticate"]) == (401, True)
    other = call(verified_nginx, access_token(demo, "notes:write"))
    assert (other.status_code, 'error="insufficient_scope"' in other.headers["WWW-Authenticate"]) == (403, True)
    assert verified_nginx.get("/verify").status_code == 404, "it is internal"
