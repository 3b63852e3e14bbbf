"""The master key, and what is encrypted with it before it is stored: signing keys and the service's own secrets."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick import base64url

_KEY_BYTES = 32
_NONCE_BYTES = 12


class WrongMasterKey(Exception):
    """What is in the store was sealed with another master key, or under another name, or was altered."""


@dataclass(frozen=True)
class MasterKey:
    """A key for AES-256-GCM. The name of what is sealed is authenticated with it, so that nobody with write access to
    the store can put one secret in the place of another."""

    _cipher: AESGCM

    @classmethod
    def load(cls, value: str, *, may_create: bool) -> Self:
        """`value` is `file:PATH`, `env:NAME`, or the key itself: 32 bytes in base64url.

        With `may_create` a file that does not exist is made, readable by its owner alone, as is its folder.
        Raises ValueError with a one-line reason, which never holds the key, when there is none or it is malformed.
        """
        kind, _, where = value.partition(":")
        if kind == "file":
            path = Path(where)
            if may_create and not path.exists():
                _create(path)
            return cls._parse(_read(path), expected=f"the file {path} must hold")
        if kind == "env":
            text = os.environ.get(where)
            if text is None:
                raise ValueError(f"master_key: the environment variable {where} is not set")
            return cls._parse(text, expected=f"the environment variable {where} must hold")
        return cls._parse(value, expected="must be file:PATH, env:NAME or")

    @classmethod
    def _parse(cls, text: str, *, expected: str) -> Self:
        try:
            key = base64url.decode(text.strip().rstrip("="))
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise ValueError(f"master_key: {expected} 32 bytes in base64url")
        return cls(AESGCM(key))

    def seal(self, plaintext: bytes, *, name: str) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, name.encode())

    def open(self, sealed: bytes, *, name: str) -> bytes:
        """What was sealed under `name`. Raises WrongMasterKey."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold nonce and tag
            raise WrongMasterKey(f"the master key does not open {name}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        raise ValueError(f"master_key: the file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as failure:
        raise ValueError(f"master_key: cannot read {path}: {_reason(failure)}") from None


def _create(path: Path) -> None:
    """Put a new key at `path`, unless another process does so first; whoever reads it finds all of it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:  # mode 0600
            file.write(base64url.encode(secrets.token_bytes(_KEY_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())  # what will be sealed with it is lost without it
            try:
                os.link(file.name, path)  # never replaces a file
            except FileExistsError:
                return
    except OSError as failure:
        raise ValueError(f"master_key: cannot make {path}: {_reason(failure)}") from None


def _reason(failure: OSError | UnicodeDecodeError) -> str:
    return (failure.strerror or "") if isinstance(failure, OSError) else "it is not text"
