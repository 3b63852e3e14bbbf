"""The file that keeps the tokens between two runs of the program. Only its owner may read it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from examples.native_cli.errors import ProgramError, SignedOut
from examples.native_cli.issuer import Tokens


class TokenFile:
    """`owner` names the issuer and the client: the tokens of one issuer are never sent to another one."""

    def __init__(self, file: Path, owner: list[str]) -> None:
        self._file = file
        self._owner = owner

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One program at a time refreshes the tokens: the issuer accepts a refresh token once."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self._file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> Tokens:
        """Raises SignedOut when there are no tokens, and ProgramError when others may read the file."""
        try:
            with self._file.open() as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise ProgramError(f"other users can read {self._file}: run `logout`, or `chmod 600` on it")
                content = json.load(file)
            if content["owner"] != self._owner:
                raise SignedOut
            return Tokens(**content["tokens"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            raise SignedOut from None

    def save(self, tokens: Tokens) -> None:
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump({"owner": self._owner, "tokens": asdict(tokens)}, file)
        unfinished.replace(self._file)

    def delete(self) -> None:
        self._file.unlink(missing_ok=True)
