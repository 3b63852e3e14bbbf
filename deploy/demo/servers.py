"""The four servers of the demo, and how each is started."""

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.place import API, APP_ONE, APP_TWO, AUTH, Place
from deploy.demo.supervisor import Server


@dataclass(frozen=True)
class App:
    """One instance of examples/web_app; `port` is the one that the files beside this one name."""

    client_id: str
    name: str
    port: int
    accent: str

    def url(self, place: Place) -> str:
        return f"http://{self.client_id}.localhost:{place.port(self.port)}"


ONE = App("app-one", "App One", APP_ONE, accent="ink")
TWO = App("app-two", "App Two", APP_TWO, accent="madder")


def auth_url(place: Place) -> str:
    return f"http://localhost:{place.port(AUTH)}"


def api_url(place: Place) -> str:
    return f"http://localhost:{place.port(API)}"


def servers_of(place: Place) -> list[Server]:
    return [
        _service("auth service", "auth_service", place.auth_toml, place.port(AUTH)),
        _service("notes API", "resource_service", place.resource_toml, place.port(API)),
        _app(ONE, place, other=TWO),
        _app(TWO, place, other=ONE),
    ]


def _service(name: str, package: str, config: Path, port: int) -> Server:
    command = [sys.executable, "-m", package, "serve", "--config", str(config), "--port", str(port)]
    return Server(name, command, port, f"http://127.0.0.1:{port}/readyz")


def _app(app: App, place: Place, other: App) -> Server:
    port = place.port(app.port)
    options = {
        "name": app.name,
        "client-id": app.client_id,
        "client-secret-env": "APP_SECRET",
        "issuer": auth_url(place),
        "api": api_url(place),
        "base-url": app.url(place),
        "port": str(port),
        "accent": app.accent,
        "other-name": other.name,
        "other-url": other.url(place),
    }
    command = [sys.executable, "-m", "examples.web_app"]
    for option, value in options.items():
        command += [f"--{option}", value]
    return Server(app.name, command, port, f"http://127.0.0.1:{port}/", {"APP_SECRET": place.secret(app.client_id)})
