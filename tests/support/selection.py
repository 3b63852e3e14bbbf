"""Select databases and conformance plans of a run, and distribute test modules to the processes of pytest-xdist.

A test that asks for `database_url` (a fresh database: tests of `store/`, of commands and of migrations) runs on SQLite
and on PostgreSQL. A test that asks for `auth_database_url` (the auth service over HTTP) runs on SQLite, and on
PostgreSQL too when its module or the test has the marker `postgresql`: where SQL differs between the two, where
requests race, and in at least one successful request of each endpoint.

A conformance module runs in the first plan, and in all plans when it has the marker `every_plan`: where the way that
clients authenticate or that answers are sent makes a difference.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.conformance.plan import PLANS

SHARED_DEPLOYMENTS = {"tests/browser/": "browser", "tests/foreign/": "foreign"}
"""Folder to group. Each group has one deployment and one Chromium, so one process runs all of it."""

LONGEST_FIRST = ("tests/browser/", "tests/foreign/", "tests/reliability/", "tests/protocol/", "tests/unit/")
"""The order in which groups are handed out: the longest first, so that no process is left with a long one at the end.
Folders that are not listed run last."""

_PER_DATABASE = ("database_url", "auth_database_url", "auth_tables_url", "notes_tables_url", "engine")
"""Fixtures and parameters that have a case for each database."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--matrix",
        choices=("sqlite", "default", "full"),
        default="default",
        help="run database tests on SQLite only, on PostgreSQL too where SQL can differ (default), or always on both, "
        "with every conformance module in every plan",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: run the tests that ask for auth_database_url on PostgreSQL too")
    config.addinivalue_line("markers", "every_plan: run the conformance module in every plan")


@pytest.hookimpl(optionalhook=True)  # unknown without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return GroupScheduling(config, log)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """All tests of a group run in one process. (`--dist loadgroup` groups nothing under pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    matrix: str = config.getoption("--matrix")
    unselected = [item for item in items if not _is_selected(item, matrix)]
    if unselected:
        config.hook.pytest_deselected(items=unselected)
        items[:] = [item for item in items if item not in set(unselected)]
    items.sort(key=_position)


def _is_selected(item: pytest.Item, matrix: str) -> bool:
    if not isinstance(item, pytest.Function) or matrix == "full":
        return True
    cases = item.callspec.params if hasattr(item, "callspec") else {}
    if matrix == "sqlite":
        return "postgresql" not in item.fixturenames and "postgresql" not in (cases.get(name) for name in _PER_DATABASE)
    if cases.get("auth_database_url") == "postgresql" and item.get_closest_marker("postgresql") is None:
        return False
    return cases.get("suite") not in PLANS[1:] or item.get_closest_marker("every_plan") is not None


def group(nodeid: str) -> str:
    """The folder that shares a deployment, else the module."""
    return next(
        (name for folder, name in SHARED_DEPLOYMENTS.items() if nodeid.startswith(folder)), nodeid.split("::")[0]
    )


def _position(item: pytest.Item) -> int:
    folders = [number for number, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)]
    return folders[0] if folders else len(LONGEST_FIRST)
