"""Secrets to which a configuration file points."""

import os
import stat
from pathlib import Path

from tallystick_service.settings.misconfigured import Misconfigured


def resolve_secret(value: str) -> str:
    """Return the text of `env:NAME` or `file:PATH`, or `value` itself. The last line break of a file is removed.

    Raises Misconfigured when the variable or file is missing or empty.
    """
    kind, _, place = value.partition(":")
    if kind == "env":
        secret = os.environ.get(place, "")
        missing = f"the environment variable {place} is missing or empty"
    elif kind == "file":
        secret = _content(Path(place))
        missing = f"the file {place} is empty"
    else:
        secret, missing = value, "a secret is empty"
    if not secret:
        raise Misconfigured(missing)
    return secret


def exposed_mode(path: str) -> str | None:
    """Return the mode of a secret's file, such as "0644", if users besides its owner can read or change it; else None.

    The group may read a file of root when the process runs as another user, because secrets are mounted into containers
    in this way. None, too, for a missing file, which is reported where the secret is needed.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return None
    allowed = 0o640 if status.st_uid == 0 and os.geteuid() != 0 else 0o600
    mode = stat.S_IMODE(status.st_mode)
    return f"{mode:04o}" if mode & 0o077 & ~allowed else None


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Misconfigured(f"the file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"the file {path} is not UTF-8 text") from error
