"""The names, ports and data folder of one TLS front, with the files that are generated into it."""

import json
import os
import pwd
import re
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.demo.demo_files import TEMPLATES as DEMO_TEMPLATES
from deploy.local.client_secrets import Account, first_account, make_client_secrets
from deploy.tls.certificates import make_certificates

TEMPLATES = Path(__file__).parent
SUITE = "https://localhost.emobix.co.uk:8443/test/a"
"""The base URL of the conformance suite's callbacks when it runs on the same machine, without an alias."""


@dataclass(frozen=True)
class FrontFiles:
    """`auth_name` and `notes_name` are the two server names; `front`, `auth` and `notes` are the three ports.

    `suites`: the base URLs of the callbacks of the declared clients. `ca_file`: certificates that the auth service
    trusts besides the front's own authority. `also`: TOML that is added to the auth service's configuration.
    """

    var: Path
    auth_name: str = "localhost"
    notes_name: str = "notes.localhost"
    front: int = 9443
    auth: int = 9400
    notes: int = 9401
    suites: tuple[str, ...] = (SUITE,)
    ca_file: Path | None = None
    also: Path | None = None

    @property
    def issuer(self) -> str:
        return f"https://{self.auth_name}:{self.front}"

    @property
    def notes_url(self) -> str:
        return f"https://{self.notes_name}:{self.front}"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def certificates(self) -> Path:
        return self.var / "certificates"

    @property
    def ca(self) -> Path:
        """The certificate of the authority, which a client of the front has to trust."""
        return self.certificates / "ca.pem"

    @property
    def auth_toml(self) -> Path:
        return self.var / "auth.toml"

    @property
    def resource_toml(self) -> Path:
        return self.var / "resource.toml"

    @property
    def nginx_conf(self) -> Path:
        return self.var / "nginx.conf"

    @property
    def nginx_folder(self) -> Path:
        return self.var / "nginx"

    @property
    def account(self) -> Account:
        return first_account(self.auth_toml)

    def client_secrets(self) -> dict[str, str]:
        """Return the secret of each client in auth.toml by its client_id."""
        declared = tomllib.loads(self._fill_in((TEMPLATES / "auth.toml").read_text()))["client"]
        return {
            client["client_id"]: (self.var / "secrets" / f"{client['client_id']}.secret").read_text()
            for client in declared
        }

    @property
    def suite_json(self) -> Path:
        """The clients and their secrets as configuration of the suite."""
        return self.var / "suite.json"

    def prepare(self) -> None:
        """Create the folders, certificates and configuration, and the missing secrets."""
        self.var.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.nginx_folder, self.var / "secrets"):
            folder.mkdir(exist_ok=True, mode=0o700)
        make_certificates(self.certificates, (self.auth_name, self.notes_name))
        trusted = [path.read_text() for path in (self.ca, self.ca_file) if path is not None]
        (self.certificates / "trusted.pem").write_text("\n".join(trusted))
        for path in (self.auth_toml, self.resource_toml, self.nginx_conf):
            path.write_text(self._fill_in((TEMPLATES / path.name).read_text()))
        user = (DEMO_TEMPLATES / "auth.toml").read_text().partition("[[user]]")
        added = self.also.read_text() if self.also is not None else ""
        self.auth_toml.write_text(f"{self.auth_toml.read_text()}{added}\n{''.join(user[1:])}")
        make_client_secrets(self.auth_toml)
        self.suite_json.write_text(json.dumps(self._suite_configuration(), indent=2))

    def _suite_configuration(self) -> dict[str, object]:
        clients = {name: {"client_id": name, "client_secret": secret} for name, secret in self.client_secrets().items()}
        return {
            "server": {"discoveryUrl": f"{self.issuer}/.well-known/openid-configuration"},
            "client": clients["client"],
            "client2": clients["client1"],
            "client_secret_post": clients["client_secret_post"],
        }

    def _fill_in(self, text: str) -> str:
        words = {
            "issuer": self.issuer,
            "notes": self.notes_url,
            "var": self.var,
            "allow_hosts": json.dumps(
                sorted({"localhost", *(urlsplit(suite).hostname or "" for suite in self.suites)})
            ),
            "suite_origins": json.dumps(sorted({"{0.scheme}://{0.netloc}".format(urlsplit(s)) for s in self.suites})),
            "redirect_uris": json.dumps([f"{suite}/callback" for suite in self.suites]),
            "post_logout_redirect_uris": json.dumps([f"{suite}/post_logout_redirect" for suite in self.suites]),
            "backchannel_logout_uri": json.dumps(f"{self.suites[0]}/backchannel_logout"),
            "folder": self.nginx_folder.resolve(),
            "logs": self.logs.resolve(),
            "certificates": self.certificates.resolve(),
            "shared": (TEMPLATES.parent / "compose" / "tls_front.conf").resolve(),
            "user": _user_directive(),
            "auth_name": self.auth_name,
            "notes_name": self.notes_name,
            "auth_upstream": self.auth,
            "notes_upstream": self.notes,
            "listen": self._listen("ssl"),
            "listen_default": self._listen("ssl default_server"),
        }
        return re.sub("@([a-z_]+)@", lambda word: str(words[word[1]]), text)

    def _listen(self, options: str) -> str:
        addresses = ["127.0.0.1", "[::1]"] if _has_ipv6_loopback() else ["127.0.0.1"]
        return " ".join(f"listen {address}:{self.front} {options};" for address in addresses)


def _user_directive() -> str:
    """When started by root, let nginx's worker run as root: another user could not enter the private folders."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError:
        return False
    return True
