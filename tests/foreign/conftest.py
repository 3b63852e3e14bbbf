"""The pair behind its TLS front: real processes, once for each process that runs tests."""

from collections.abc import Iterator

import pytest

from tests.support.chromium import chromium
from tests.support.front import Front, running_front

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with running_front(tmp_path_factory.mktemp("front")) as running:
        yield running
