"""Where one demo lives: its ports, its folder of data, and in it the configuration and secrets made for it alone."""

import os
import re
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
AUTH, API, APP_ONE, APP_TWO = DEFAULT_PORTS = (8000, 8001, 8011, 8012)


@dataclass(frozen=True)
class Account:
    """Whom a visitor may sign in as."""

    email: str
    password: str


@dataclass(frozen=True)
class Place:
    """`ports`: of the auth service, the notes API, the first and the second app. `var` is made when it is not there."""

    ports: tuple[int, ...] = DEFAULT_PORTS
    var: Path = Path("var")

    def port(self, default: int) -> int:
        """The port that stands in for the one that the files beside this one name."""
        return self.ports[DEFAULT_PORTS.index(default)]

    @property
    def auth_toml(self) -> Path:
        return self.var / "demo" / "auth.toml"

    @property
    def resource_toml(self) -> Path:
        return self.var / "demo" / "resource.toml"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def account(self) -> Account:
        first = tomllib.loads(self.auth_toml.read_text())["user"][0]
        return Account(first["email"], first["password"])

    def prepare(self) -> None:
        """Make the folders, the configuration with this place's ports and paths, and what secrets it lacks."""
        self.auth_toml.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)
        for path in (self.auth_toml, self.resource_toml):
            path.write_text(self._moved_here((HERE / path.name).read_text()))
        for client in tomllib.loads(self.auth_toml.read_text())["client"]:
            reference = client.get("client_secret", "")
            if reference.startswith("file:"):  # a secret may also be written out, or stand in the environment
                make_secret(Path(reference.removeprefix("file:")))

    def secret(self, client_id: str) -> str:
        return (self.var / "demo" / f"{client_id}.secret").read_text()

    def _moved_here(self, text: str) -> str:
        ports = re.compile(":({})\\b".format("|".join(map(str, DEFAULT_PORTS))))
        text = ports.sub(lambda match: f":{self.port(int(match[1]))}", text)
        return re.sub(r"\bvar/", lambda _: f"{self.var}/", text)


def make_secret(path: Path) -> None:
    """Generate 256 random bits into `path`, readable by its owner only; keep what is there."""
    if path.exists():
        return
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32))
    unfinished.rename(path)
