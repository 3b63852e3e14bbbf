"""What an issuer told last, on disk, so that an API can start while the issuer is away."""

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

_LEFT_OVER = 600
"""Seconds after which a file that was to replace the last known one will not any more: its writer was killed."""


class LastKnownFile:
    """The file at `path`. `what` it holds is for the log."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        self._is_failing = False

    def read(self, *, max_bytes: int) -> bytes | None:
        """The document that was last written, or None when there is no file yet. Raises OSError when it cannot be
        read.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(max_bytes)
        except FileNotFoundError:
            return None

    async def write(self, document: Callable[[], bytes]) -> bool:
        """Whether it was written. `document` is called in a thread. Complained of once, until it works again."""
        try:
            await asyncio.to_thread(lambda: _replace(self.path, document()))
        except OSError as failure:
            if not self._is_failing:
                log.warning("cannot keep %s in %s: %s", self._what, self.path, failure)
            self._is_failing = True
        else:
            self._is_failing = False
        return not self._is_failing


def _replace(path: Path, document: bytes) -> None:
    """In one step: a reader, or a start after a power cut, finds the old document or the new one.

    Mode 0600: nothing in it is secret, but whoever can write it decides whose tokens we believe. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _remove_left_overs(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_left_overs(path: Path) -> None:
    for left_over in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with suppress(FileNotFoundError):  # another process does the same
            if time.time() - left_over.stat().st_mtime > _LEFT_OVER:
                left_over.unlink()
