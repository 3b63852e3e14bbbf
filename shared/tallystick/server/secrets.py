"""Secrets that a configuration file only points to."""

import os
from pathlib import Path

from tallystick.server.misconfigured import Misconfigured


def resolve_secret(value: str) -> str:
    """The text behind `env:NAME` or `file:PATH`, or `value` itself. A file's last line break is not part of the secret.

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


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Misconfigured(f"the file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"the file {path} is not UTF-8 text") from error
