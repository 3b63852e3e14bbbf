"""What an issuer told last, on disk, so that an API can start while the issuer is away."""

import glob
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_LEFT_OVER = 600
"""Seconds after which a file that was to replace the last known one will not any more: its writer was killed."""


def read_last_known(path: Path, *, max_bytes: int) -> bytes | None:
    """The document that was last written, or None when there is no file yet. Raises OSError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes)
    except FileNotFoundError:
        return None


def write_last_known(path: Path, document: bytes) -> None:
    """Replace the file in one step: a reader, or a start after a power cut, finds the old document or the new one.

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
