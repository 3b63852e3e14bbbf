"""An application as its configuration describes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp

from tallystick_service.metrics.shared_counters import SharedCounters


class Create(Protocol):
    def __call__(self, *, counters: SharedCounters, metrics_port: int | None) -> ASGIApp: ...


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Application:
    """The result of reading a configuration once. Both functions raise Misconfigured."""

    create: Create
    """Called in each process that serves."""
    prepare: Callable[[], None] = _nothing
    """Bring the store up to date. Called once before `create`; it must leave no thread or connection behind."""
