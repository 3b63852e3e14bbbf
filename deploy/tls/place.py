"""Where one TLS front lives: its names, its ports, its folder, and in it all that is made for it alone."""

import json
import os
import pwd
import re
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.demo.place import HERE as DEMO
from deploy.demo.place import Account, make_secret
from deploy.tls.certificates import make_certificates

HERE = Path(__file__).parent
SUITE = "https://localhost.emobix.co.uk:8443/test/a"
"""Where the conformance suite has its callbacks when it runs on the same machine, without an alias."""


@dataclass(frozen=True)
class Place:
    """`auth_name` and `notes_name` are the two server names, `front`, `auth` and `notes` the three ports.

    `suites`: the URLs under which the clients of the run have their callbacks. `ca_file`: whom to trust besides our own
    authority. `also`: TOML that is added to the auth service's configuration.
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
        """What a client of the front has to trust."""
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
        first = tomllib.loads(self.auth_toml.read_text())["user"][0]
        return Account(first["email"], first["password"])

    def clients(self) -> dict[str, str]:
        """The client_id of each client that the run was given, and its secret."""
        declared = tomllib.loads(self._filled_in((HERE / "auth.toml").read_text()))["client"]
        return {
            client["client_id"]: (self.var / "secrets" / f"{client['client_id']}.secret").read_text()
            for client in declared
        }

    @property
    def suite_json(self) -> Path:
        """The same in the words of the suite's own configuration."""
        return self.var / "suite.json"

    def prepare(self) -> None:
        """Make the folders, certificates and configuration, and what secrets are lacking."""
        self.var.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.nginx_folder, self.var / "secrets"):
            folder.mkdir(exist_ok=True, mode=0o700)
        make_certificates(self.certificates, (self.auth_name, self.notes_name))
        trusted = [path.read_text() for path in (self.ca, self.ca_file) if path is not None]
        (self.certificates / "trusted.pem").write_text("\n".join(trusted))
        for path in (self.auth_toml, self.resource_toml, self.nginx_conf):
            path.write_text(self._filled_in((HERE / path.name).read_text()))
        user = (DEMO / "auth.toml").read_text().partition("[[user]]")
        added = self.also.read_text() if self.also is not None else ""
        self.auth_toml.write_text(f"{self.auth_toml.read_text()}{added}\n{''.join(user[1:])}")
        for client in tomllib.loads(self.auth_toml.read_text())["client"]:
            reference = client.get("client_secret", "")
            if reference.startswith("file:"):
                make_secret(Path(reference.removeprefix("file:")))
        self.suite_json.write_text(json.dumps(self._for_the_suite(), indent=2))

    def _for_the_suite(self) -> dict[str, object]:
        clients = {name: {"client_id": name, "client_secret": secret} for name, secret in self.clients().items()}
        return {
            "server": {"discoveryUrl": f"{self.issuer}/.well-known/openid-configuration"},
            "client": clients["client"],
            "client2": clients["client1"],
            "client_secret_post": clients["client_secret_post"],
        }

    def _filled_in(self, text: str) -> str:
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
            "shared": (HERE.parent / "compose" / "tls_front.conf").resolve(),
            "user": _user(),
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


def _user() -> str:
    """nginx's own worker gives up root's rights, and could not enter a folder that is closed to others."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError:
        return False
    return True
