"""Fixtures for all tests: a clock, a database, and the auth service on it."""

import gc
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.auth_database import (
    auth_database_url,
    auth_postgresql_url,
    auth_sqlite_url,
    postgresql_template,
    restore_postgresql,
    sqlite_template,
)
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.hashing import cheap_hashes, real_hashes
from tests.support.migrated import auth_tables_url, notes_tables_url, postgresql_with_tables
from tests.support.postgres import database_url, postgresql, postgresql_url
from tests.support.relying_party import RelyingParty
from tests.support.selection import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "auth_database_url",
    "auth_postgresql_url",
    "auth_sqlite_url",
    "auth_tables_url",
    "cheap_hashes",
    "database_url",
    "notes_tables_url",
    "postgresql",
    "postgresql_template",
    "postgresql_url",
    "postgresql_with_tables",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_xdist_make_scheduler",
    "real_hashes",
    "restore_postgresql",
    "sqlite_template",
]


MEMORY = Path("/dev/shm")
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2**30:
    # Databases in `tmp_path` are in memory, because a commit waits longer for a disk than a test takes otherwise.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of later garbage collections, which would go over them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    """The auth service, on SQLite and on PostgreSQL."""
    async with running_auth_service(auth_database_url, clock) as running:
        yield running


@pytest.fixture
def rp(auth: AuthService) -> RelyingParty:
    """A first-party client with a secret, and a browser without a login session."""
    return auth.relying_party("app-one")
