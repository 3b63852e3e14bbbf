"""An error in the configuration, which stops the start with one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.errors import TemporarilyUnavailable
from tallystick_service.settings.terminal import printable

STATUS = 2


class Misconfigured(Exception):
    """`str()` is one line that names the key at fault and contains no secret."""


@contextmanager
def exit_on_misconfiguration(name: str) -> Iterator[None]:
    """Turn Misconfigured or an unreachable store into one line on stderr that begins with `name`, and exit status 2."""
    try:
        yield
    except (Misconfigured, TemporarilyUnavailable) as mistake:
        reason = mistake.with_cause if isinstance(mistake, TemporarilyUnavailable) else str(mistake)
        sys.stderr.write(f"{name}: {printable(' '.join(reason.split()))}\n")
        raise SystemExit(STATUS) from mistake
