"""A file with the last known document of an issuer, so that an API can start while the issuer is unavailable."""

import asyncio
import glob
import logging
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_ABANDONED_SECONDS = 600
"""Age of a temporary file after which its writer has certainly been killed."""


class LastKnownFile:
    """The file at `path`. `content` names what is in it, for the log."""

    def __init__(self, path: Path, content: str) -> None:
        self.path = path
        self._content = content
        self._is_failing = False

    def read(self, *, max_bytes: int) -> bytes | None:
        """The first `max_bytes`, or None when there is no file. Raises OSError when the file cannot be read."""
        try:
            with self.path.open("rb") as file:
                return file.read(max_bytes)
        except FileNotFoundError:
            return None

    async def write(self, document: Callable[[], bytes]) -> bool:
        """Replace the file, and return whether that worked. Calls `document` in a thread.

        The first of several failures is logged.
        """
        try:
            await asyncio.to_thread(lambda: _replace(self.path, document()))
        except OSError as failure:
            if not self._is_failing:
                log.warning("cannot keep %s in %s: %s", self._content, self.path, failure)
            self._is_failing = True
        else:
            self._is_failing = False
        return not self._is_failing


def _replace(path: Path, document: bytes) -> None:
    """Replace the file in one step, so that a reader, or a start after a power cut, finds a whole document.

    Mode 0600: the content is not secret, but a program that can write it decides which tokens are accepted. Raises
    OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _remove_abandoned(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path) -> None:
    """Remove old temporary files of `path`."""
    for temporary in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with suppress(FileNotFoundError):  # another process removed it first
            if time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS:
                temporary.unlink()
