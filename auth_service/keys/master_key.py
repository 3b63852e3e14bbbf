"""The master key, which encrypts signing keys and the service's own secrets before they are stored."""

import logging
import os
import re
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick import base64url

_log = logging.getLogger(__name__)

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SEPARATOR = re.compile(r"[\s,]+")


class WrongMasterKey(Exception):
    """A stored value was encrypted with another master key, or under another name, or was altered."""


class MasterKey:
    """A key for AES-256-GCM, or several while one is being replaced: the first encrypts, all of them decrypt.

    The name of each value is authenticated with it, so that a party with write access to the store cannot replace one
    secret by another.
    """

    def __init__(self, keys: tuple[bytes, ...], file: Path | None = None) -> None:
        """`keys` have 32 bytes each. `file` is the one that `reload` reads."""
        self._keys = keys
        self._file = file
        self.changes = 0
        """How often `reload` has found a new key."""

    @classmethod
    def load(cls, value: str, *, may_create: bool) -> Self:
        """`value` is `file:PATH`, `env:NAME`, or the key itself: 32 bytes in base64url. Several keys are separated by
        white space or commas.

        With `may_create` a missing file is created with mode 0600, and its folder with 0700. Raises ValueError with a
        one-line reason, which never contains the key, when there is no key or a malformed one.
        """
        kind, _, where = value.partition(":")
        if kind == "file":
            path = Path(where)
            if may_create and cls.is_missing_file(value):
                _create(path)
            return cls(_read(path), path)
        if kind == "env":
            text = os.environ.get(where)
            if text is None:
                raise ValueError(f"master_key: the environment variable {where} is not set")
            return cls(_parse(text, expected=f"the environment variable {where} must hold"))
        return cls(_parse(value, expected="must be file:PATH, env:NAME or"))

    @staticmethod
    def is_missing_file(value: str) -> bool:
        """Whether `load` with `may_create` would create a file."""
        kind, _, where = value.partition(":")
        return kind == "file" and not Path(where).exists()

    def __len__(self) -> int:
        return len(self._keys)

    def encrypt(self, plaintext: bytes, *, name: str) -> bytes:
        """Encrypt with the first key: nonce ‖ ciphertext ‖ tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._keys[0]).encrypt(nonce, plaintext, name.encode())

    def decrypt(self, encrypted: bytes, *, name: str) -> bytes:
        """Decrypt with any of the keys. Raises WrongMasterKey."""
        for key in self._keys:
            try:
                return _decrypt(key, encrypted, name)
            except (InvalidTag, ValueError):  # ValueError: too short for nonce and tag
                continue
        raise WrongMasterKey(f"the master key does not open {name}")

    def is_encrypted_with_first_key(self, encrypted: bytes, *, name: str) -> bool:
        try:
            self._only(self._keys[0]).decrypt(encrypted, name=name)
        except WrongMasterKey:
            return False
        return True

    def key_of(self, encrypted: bytes, *, name: str) -> Self:
        """A MasterKey with only the key that decrypts this value. Raises WrongMasterKey."""
        for key in self._keys:
            alone = self._only(key)
            if alone.is_encrypted_with_first_key(encrypted, name=name):
                return alone
        raise WrongMasterKey(f"the master key does not open {name}")

    def _only(self, key: bytes) -> Self:
        return type(self)((key,))

    def reload(self) -> bool:
        """Read the file again; True when it has a new key. This blocks for the time of reading a small file.

        Keys from earlier reads stay usable for decryption. Raises ValueError when the file is missing or malformed,
        and changes nothing. Without a file this does nothing.
        """
        if self._file is None:
            return False
        found = _read(self._file)
        has_new_key = not set(found) <= set(self._keys)
        self._keys = tuple(dict.fromkeys((*found, *self._keys)))
        self.changes += has_new_key
        return has_new_key


def _decrypt(key: bytes, encrypted: bytes, name: str) -> bytes:
    return AESGCM(key).decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], name.encode())


def _parse(text: str, *, expected: str) -> tuple[bytes, ...]:
    """Raises ValueError, which says which of several keys is malformed and does not quote it."""
    words = _SEPARATOR.split(text.strip()) if text.strip() else [""]
    keys = []
    for number, word in enumerate(words, start=1):
        try:
            key = base64url.decode(word.rstrip("="))
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            which = f"; number {number} of the {len(words)} keys is malformed" if len(words) > 1 else ""
            raise ValueError(f"master_key: {expected} 32 bytes in base64url{which}")
        keys.append(key)
    return tuple(dict.fromkeys(keys))


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise ValueError(f"master_key: the file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as failure:
        raise ValueError(f"master_key: cannot read {path}: {_reason(failure)}") from None
    return _parse(text, expected=f"the file {path} must hold")


def _create(path: Path) -> None:
    """Put a new key at `path`, unless another process creates the file first. A reader never sees half a key."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:  # mode 0600
            file.write(base64url.encode(secrets.token_bytes(_KEY_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())  # without the key, nothing that it encrypts can be read
            try:
                os.link(file.name, path)  # never replaces a file
            except FileExistsError:
                return
            _log.info("made a master key at %s", path)
    except OSError as failure:
        raise ValueError(f"master_key: cannot make {path}: {_reason(failure)}") from None


def _reason(failure: OSError | UnicodeDecodeError) -> str:
    return (failure.strerror or "") if isinstance(failure, OSError) else "it is not text"
