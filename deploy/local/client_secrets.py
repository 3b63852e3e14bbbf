"""The client secrets and the account that a configuration file of the auth service names."""

import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """The e-mail address and the password of a user."""

    email: str
    password: str


def first_account(auth_toml: Path) -> Account:
    """Return the first declared user, who has a plain-text password."""
    user = tomllib.loads(auth_toml.read_text())["user"][0]
    return Account(user["email"], user["password"])


def make_client_secrets(auth_toml: Path) -> None:
    """Generate each client secret that is declared as `file:` and does not exist."""
    for client in tomllib.loads(auth_toml.read_text())["client"]:
        secret = client.get("client_secret", "")
        if secret.startswith("file:"):  # other forms: `env:`, or the secret itself
            _make_secret(Path(secret.removeprefix("file:")))


def _make_secret(path: Path) -> None:
    """Generate 256 random bits into `path`, readable by its owner only; keep an existing file."""
    if path.exists():
        return
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32))
    unfinished.rename(path)
