"""What every scenario file offers."""

from collections.abc import Sequence
from typing import Any, Protocol

from tests.reliability.outcome import Outcome
from tests.reliability.site import Site


class Impossible(Exception):
    """This machine does not allow what the scenario needs; `str()` says what."""


class Scenario(Protocol):
    """A module: the stores for which it makes a difference, and sizes of its own kind."""

    __name__: str

    @property
    def ENGINES(self) -> Sequence[str]: ...  # noqa: N802 - a constant of the module

    @property
    def QUICK(self) -> Any: ...  # noqa: N802

    @property
    def FULL(self) -> Any: ...  # noqa: N802

    async def run(self, site: Site, size: Any) -> Outcome: ...
