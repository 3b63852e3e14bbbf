"""The interface of a scenario module."""

from collections.abc import Sequence
from typing import Any, Protocol

from tests.reliability.deployment import Deployment
from tests.reliability.report import Outcome


class Unsupported(Exception):
    """This machine cannot run the scenario; the text is the reason."""


class Scenario(Protocol):
    """A module. `ENGINES`: the stores for which the scenario differs. `QUICK` and `FULL`: its two sizes."""

    __name__: str

    @property
    def ENGINES(self) -> Sequence[str]: ...  # noqa: N802 - a constant of the module

    @property
    def QUICK(self) -> Any: ...  # noqa: N802

    @property
    def FULL(self) -> Any: ...  # noqa: N802

    async def run(self, deployment: Deployment, size: Any) -> Outcome: ...
