"""The ports of one demo and its data folder, with the configuration and the secrets that are generated into it."""

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.local.client_secrets import Account, first_account, make_client_secrets

TEMPLATES = Path(__file__).parent
"""The folder of auth.toml and resource.toml."""
AUTH, API, APP_ONE, APP_TWO, SPA = DEFAULT_PORTS = (8000, 8001, 8011, 8012, 8013)
"""The ports that the templates name."""


@dataclass(frozen=True)
class DemoFiles:
    """`ports`: of the auth service, the notes API, the two apps and the single-page app.

    `prepare` creates the folder `var`.
    """

    ports: tuple[int, ...] = DEFAULT_PORTS
    var: Path = Path("var")

    def port(self, default: int) -> int:
        """Return the port that this demo uses in place of a default port."""
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
        return first_account(self.auth_toml)

    def prepare(self) -> None:
        """Create the folders, the configuration with this demo's ports and paths, and the missing secrets."""
        self.auth_toml.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)
        for path in (self.auth_toml, self.resource_toml):
            path.write_text(self._adapted((TEMPLATES / path.name).read_text()))
        make_client_secrets(self.auth_toml)

    def secret(self, client_id: str) -> str:
        return (self.var / "demo" / f"{client_id}.secret").read_text()

    def _adapted(self, template: str) -> str:
        """Replace the default ports and the folder `var/` by this demo's."""
        ports = re.compile(":({})\\b".format("|".join(map(str, DEFAULT_PORTS))))
        text = ports.sub(lambda match: f":{self.port(int(match[1]))}", template)
        return re.sub(r"\bvar/", lambda _: f"{self.var}/", text)
