"""The processes of `make front`, with a client for each library that the tests use."""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from joserfc.jwk import ECKey

from deploy.local.client_secrets import Account
from deploy.tls.certificates import make_certificates
from deploy.tls.front_files import FrontFiles
from tests.support.chromium import TEST_DOMAIN
from tests.support.foreign_clients import APP, APP_LEFT, as_toml, foreign_clients
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.processes import ROOT, in_the_foreground
from tests.support.relying_party import Browser

SPA_HOST = "spa.localhost"
RP_HOST = "rp.localhost"
POSTED_RP_HOST = "posted.localhost"
NOTES_SPA_HOST = f"notes.{TEST_DOMAIN}"
NODE = ROOT / "tests" / "foreign" / "node"


@dataclass(frozen=True)
class Front:
    """`spa_port`, `rp_port` and `notes_spa_port`: the ports of apps on hosts of their own."""

    files: FrontFiles
    spa_port: int
    rp_port: int
    notes_spa_port: int

    @property
    def issuer(self) -> str:
        return self.files.issuer

    @property
    def account(self) -> Account:
        return self.files.account

    @property
    def spa(self) -> str:
        return f"https://{SPA_HOST}:{self.spa_port}"

    @property
    def rp(self) -> str:
        return f"https://{RP_HOST}:{self.rp_port}"

    @property
    def posted_rp(self) -> str:
        """The server-side app under another host name, where it uses response_mode=form_post."""
        return f"https://{POSTED_RP_HOST}:{self.rp_port}"

    @property
    def notes_spa(self) -> str:
        """The origin of examples/spa. Its host is public to the auth service."""
        return f"https://{NOTES_SPA_HOST}:{self.notes_spa_port}"

    @property
    def others(self) -> Path:
        """The folder with the certificate of both apps, server-ec.pem, which the auth service trusts."""
        return self.files.var.parent / "others"

    def tls(self) -> ssl.SSLContext:
        """Return a TLS context that trusts only the front's authority."""
        return ssl.create_default_context(cafile=self.files.ca)

    def http(self, *, from_address: str | None = None) -> httpx.AsyncClient:
        """`from_address`: the local address, one of 127.0.0.0/8."""
        transport = httpx.AsyncHTTPTransport(verify=self.tls(), local_address=from_address)
        return httpx.AsyncClient(base_url=self.issuer, transport=transport, timeout=PATIENCE)

    def browser(self, http: httpx.AsyncClient) -> Browser:
        return Browser(http, self.issuer)

    def node(self, script: str, flow: str) -> None:
        """Run one flow of a script in tests/foreign/node. Raises AssertionError with its output when it fails."""
        assert (NODE / "node_modules" / "installed").exists(), "the npm packages are missing; `make foreign` gets them"
        done = subprocess.run(
            ["node", str(NODE / script), flow, str(self.files.var.parent / "flows.json")],
            env=os.environ | {"NODE_EXTRA_CA_CERTS": str(self.files.ca)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_front(folder: Path) -> Iterator[Front]:
    ports = free_ports(6)
    files = FrontFiles(folder / "var", front=ports[0], auth=ports[1], notes=ports[2])
    front = Front(files, spa_port=ports[3], rp_port=ports[4], notes_spa_port=ports[5])
    make_certificates(front.others, (SPA_HOST, RP_HOST, POSTED_RP_HOST, NOTES_SPA_HOST, "localhost"))
    key = ECKey.generate_key("P-256", {"use": "sig", "kid": "the client's own"}, auto_kid=False)
    clients = foreign_clients(
        spa=front.spa, notes_spa=front.notes_spa, rps=[front.rp, front.posted_rp], rp_port=front.rp_port, key=key
    )
    (folder / "clients.toml").write_text(as_toml(clients))
    flows = {
        "issuer": front.issuer,
        "notes": files.notes_url,
        "account": {"username": "ada@example.com", "password": "correct horse battery staple"},
        "redirect_uri": APP,
        "post_logout_redirect_uri": APP_LEFT,
        "secrets": {client["client_id"]: client.get("client_secret") for client in clients},
        "private_key": key.as_pem(private=True).decode(),
    }
    (folder / "flows.json").write_text(json.dumps(flows))
    options = {
        "--var": files.var,
        "--ports": ",".join(map(str, ports[:3])),
        "--also": folder / "clients.toml",
        "--ca-file": front.others / "ca.pem",
    }
    words = [str(word) for option in options.items() for word in option]
    with in_the_foreground("deploy.tls", *words, RESOURCE_ALLOWED_ORIGINS=json.dumps([front.spa, front.notes_spa])):
        yield front
