"""The master key, and what is encrypted with it before it is stored: signing keys and the service's own secrets."""

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
_BETWEEN = re.compile(r"[\s,]+")


class WrongMasterKey(Exception):
    """What is in the store was sealed with another master key, or under another name, or was altered."""


class MasterKey:
    """A key for AES-256-GCM, or several while one is being replaced: the first seals, all of them open.

    The name of what is sealed is authenticated with it, so that nobody with write access to the store can put one
    secret in the place of another.
    """

    def __init__(self, keys: tuple[bytes, ...], file: Path | None = None) -> None:
        """The first of `keys` (32 bytes each) seals. `file` is where others may turn up while we run."""
        self._keys = keys
        self._file = file
        self.changes = 0
        """How often `read_again` found what was not known."""

    @classmethod
    def load(cls, value: str, *, may_create: bool) -> Self:
        """`value` is `file:PATH`, `env:NAME`, or the key itself: 32 bytes in base64url. Several stand on a line each,
        or with blanks or commas between them.

        With `may_create` a file that does not exist is made, readable by its owner alone, as is its folder.
        Raises ValueError with a one-line reason, which never holds the key, when there is none or it is malformed.
        """
        kind, _, where = value.partition(":")
        if kind == "file":
            path = Path(where)
            if may_create and cls.is_to_be_made(value):
                _create(path)
            return cls(_read(path), path)
        if kind == "env":
            text = os.environ.get(where)
            if text is None:
                raise ValueError(f"master_key: the environment variable {where} is not set")
            return cls(_parse(text, expected=f"the environment variable {where} must hold"))
        return cls(_parse(value, expected="must be file:PATH, env:NAME or"))

    @staticmethod
    def is_to_be_made(value: str) -> bool:
        """Whether `load` would make it, given leave."""
        kind, _, where = value.partition(":")
        return kind == "file" and not Path(where).exists()

    def __len__(self) -> int:
        """How many keys these are."""
        return len(self._keys)

    def seal(self, plaintext: bytes, *, name: str) -> bytes:
        """nonce ‖ ciphertext ‖ tag, by the first key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._keys[0]).encrypt(nonce, plaintext, name.encode())

    def open(self, sealed: bytes, *, name: str) -> bytes:
        """What was sealed under `name`, by whichever key. Raises WrongMasterKey."""
        for key in self._keys:
            try:
                return _decrypt(key, sealed, name)
            except (InvalidTag, ValueError):  # ValueError: too short to hold nonce and tag
                continue
        raise WrongMasterKey(f"the master key does not open {name}")

    def opens_with_the_first(self, sealed: bytes, *, name: str) -> bool:
        """Whether it is sealed as `seal` would now."""
        try:
            self._only(self._keys[0]).open(sealed, name=name)
        except WrongMasterKey:
            return False
        return True

    def that_sealed(self, sealed: bytes, *, name: str) -> Self:
        """The one of the keys with which this was sealed, alone. Raises WrongMasterKey."""
        for key in self._keys:
            alone = self._only(key)
            if alone.opens_with_the_first(sealed, name=name):
                return alone
        raise WrongMasterKey(f"the master key does not open {name}")

    def _only(self, key: bytes) -> Self:
        return type(self)((key,))

    def read_again(self) -> bool:
        """Whether the file holds keys that we did not know. It blocks, as long as it takes to read a small file.

        What we knew goes on opening until we end. Raises ValueError when the file is gone or malformed; then nothing
        has changed. Keys that did not come from a file stay as they were.
        """
        if self._file is None:
            return False
        found = _read(self._file)
        is_news = not set(found) <= set(self._keys)
        self._keys = tuple(dict.fromkeys((*found, *self._keys)))
        self.changes += is_news
        return is_news


def _decrypt(key: bytes, sealed: bytes, name: str) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())


def _parse(text: str, *, expected: str) -> tuple[bytes, ...]:
    """Raises ValueError, which says which of several is malformed and shows nothing of it."""
    words = _BETWEEN.split(text.strip()) if text.strip() else [""]
    keys = []
    for number, word in enumerate(words, start=1):
        try:
            key = base64url.decode(word.rstrip("="))
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            which = f", and number {number} of the {len(words)} keys there is not that" if len(words) > 1 else ""
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
            _log.info("made a master key at %s", path)
    except OSError as failure:
        raise ValueError(f"master_key: cannot make {path}: {_reason(failure)}") from None


def _reason(failure: OSError | UnicodeDecodeError) -> str:
    return (failure.strerror or "") if isinstance(failure, OSError) else "it is not text"
