"""The servers of the demo and their command lines."""

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.demo_files import API, APP_ONE, APP_TWO, AUTH, SPA, DemoFiles
from deploy.local.supervisor import Server, service


@dataclass(frozen=True)
class App:
    """One instance of examples/web_app; `port` is its default port."""

    client_id: str
    name: str
    port: int
    accent: str
    workers: int = 1

    def url(self, files: DemoFiles) -> str:
        return f"http://{self.client_id}.localhost:{files.port(self.port)}"


ONE = App("app-one", "App One", APP_ONE, accent="ink", workers=2)
TWO = App("app-two", "App Two", APP_TWO, accent="madder")


def auth_url(files: DemoFiles) -> str:
    return f"http://localhost:{files.port(AUTH)}"


def api_url(files: DemoFiles) -> str:
    return f"http://localhost:{files.port(API)}"


def demo_servers(files: DemoFiles) -> list[Server]:
    return [
        service("auth service", "auth_service", files.auth_toml, files.port(AUTH)),
        service("notes API", "resource_service", files.resource_toml, files.port(API)),
        _app(ONE, files, other=TWO),
        _app(TWO, files, other=ONE),
    ]


def spa_url(files: DemoFiles) -> str:
    return f"http://spa.localhost:{files.port(SPA)}"


def spa_server(files: DemoFiles, library: Path) -> Server:
    """examples/spa; `library` is the file oidc-client-ts.min.js."""
    port = files.port(SPA)
    options = {"--port": str(port), "--issuer": auth_url(files), "--api": api_url(files), "--library": str(library)}
    command = [sys.executable, "-m", "examples.spa", *(word for option in options.items() for word in option)]
    return Server("single-page app", command, port, f"http://127.0.0.1:{port}/")


def django_server(files: DemoFiles, port: int) -> Server:
    """examples/django_api with the audience of the notes API: it accepts the same tokens, and has its own notes."""
    command = [sys.executable, "-m", "examples.django_api", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    environment = {
        "ISSUER": auth_url(files),
        "AUDIENCE": api_url(files),
        "DATABASE": str(files.var / "django-notes.db"),
    }
    return Server("Django API", command, port, f"http://127.0.0.1:{port}/openapi.json", environment)


def _app(app: App, files: DemoFiles, other: App) -> Server:
    port = files.port(app.port)
    options = {
        "name": app.name,
        "client-id": app.client_id,
        "client-secret-env": "APP_SECRET",
        "issuer": auth_url(files),
        "api": api_url(files),
        "base-url": app.url(files),
        "port": str(port),
        "workers": str(app.workers),
        "session-file": str(files.var / f"{app.client_id}.sessions.db"),
        "accent": app.accent,
        "other-name": other.name,
        "other-url": other.url(files),
    }
    command = [sys.executable, "-m", "examples.web_app"]
    for option, value in options.items():
        command += [f"--{option}", value]
    return Server(app.name, command, port, f"http://127.0.0.1:{port}/", {"APP_SECRET": files.secret(app.client_id)})
