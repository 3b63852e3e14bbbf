"""Both services as an operator runs them, with their own ports and files."""

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.processes import SERVER_CORE, Process, free_port, running

AUDIENCE = "http://localhost:8001"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
SECRET = "worth-nothing-and-as-long-as-a-real-one-would-be"
APP, BOT = "bench-app", "bench-bot"
REDIRECT_URI = "http://127.0.0.1:8011/callback"

_AUTH_TOML = """
issuer = "http://localhost:{port}"
database_url = "sqlite:///{folder}/auth.db"
master_key = "file:{folder}/master.key"

[[api]]
audience = "{AUDIENCE}"
name = "Notes"
scopes = {{ "notes:read" = "Read your notes" }}

[[client]]
client_id = "{APP}"
client_secret = "{SECRET}"
redirect_uris = ["{REDIRECT_URI}"]
grant_types = ["authorization_code", "refresh_token"]
scope = "notes:read"
require_pkce = false
first_party = true

[[client]]
client_id = "{BOT}"
client_secret = "{SECRET}"
grant_types = ["client_credentials"]
scope = "notes:read"

[[user]]
email = "{EMAIL}"
password = "{PASSWORD}"
"""

_RESOURCE_TOML = """
audience = "{AUDIENCE}"
issuer = "http://localhost:{port}"
database_url = "sqlite:///{folder}/notes.db"
"""


@dataclass(frozen=True)
class Services:
    """`folder` holds the files of both; `port` of the auth service is part of the issuer's URL."""

    folder: Path
    port: int

    @classmethod
    def prepare(cls, folder: Path) -> "Services":
        services = cls(folder, free_port())
        for file, template in ((services.auth_toml, _AUTH_TOML), (services.resource_toml, _RESOURCE_TOML)):
            file.write_text(template.format(port=services.port, folder=folder, **_NAMES))
        return services

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def auth_toml(self) -> Path:
        return self.folder / "tallystick.toml"

    @property
    def resource_toml(self) -> Path:
        return self.folder / "resource.toml"

    @property
    def database(self) -> Path:
        return self.folder / "auth.db"

    @contextmanager
    def auth_service(self, cores: list[int] = SERVER_CORE) -> Iterator[Process]:
        with self._service("auth_service", self.auth_toml, self.port, cores) as process:
            yield process

    @contextmanager
    def resource_service(self, cores: list[int] = SERVER_CORE) -> Iterator[Process]:
        with self._service("resource_service", self.resource_toml, free_port(), cores) as process:
            yield process

    @contextmanager
    def _service(self, package: str, config: Path, port: int, cores: list[int]) -> Iterator[Process]:
        command = [sys.executable, "-m", package, "serve", "--config", str(config), "--port", str(port)]
        with running(*command, port=port, ready="/readyz", log=self.folder / f"{package}.log", cores=cores) as process:
            yield process

    def access_token(self) -> str:
        """Return an access token of the bot. The auth service must be running."""
        response = httpx.post(
            f"{self.issuer}/token", data={"grant_type": "client_credentials"}, auth=(BOT, SECRET)
        ).raise_for_status()
        token: str = response.json()["access_token"]
        return token


_NAMES = {
    "AUDIENCE": AUDIENCE,
    "APP": APP,
    "BOT": BOT,
    "SECRET": SECRET,
    "REDIRECT_URI": REDIRECT_URI,
    "EMAIL": EMAIL,
    "PASSWORD": PASSWORD,
}


def basic(client_id: str) -> dict[str, str]:
    """Return the header of client_secret_basic. Neither part contains a character that needs form-encoding."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()}
