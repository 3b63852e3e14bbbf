"""The short form of five scenarios, on one deployment per store. `make reliability` runs all of them, and in full."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.reliability.deployment import Deployment, running_deployment
from tests.reliability.scenarios import SCENARIOS, TESTED
from tests.support.postgres import PostgreSQL


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sqlite_deployment() -> AsyncIterator[Deployment]:
    async with running_deployment("sqlite") as deployment:
        yield deployment


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def postgresql_deployment(postgresql: PostgreSQL) -> AsyncIterator[Deployment]:
    async with running_deployment("postgresql", postgresql=postgresql) as deployment:
        yield deployment


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in TESTED if "sqlite" in SCENARIOS[name].ENGINES])
async def test_all_checks_pass_on_sqlite(sqlite_deployment: Deployment, name: str) -> None:
    await check(name, sqlite_deployment)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in TESTED if "postgresql" in SCENARIOS[name].ENGINES])
async def test_all_checks_pass_on_postgresql(postgresql_deployment: Deployment, name: str) -> None:
    await check(name, postgresql_deployment)


async def check(name: str, deployment: Deployment) -> None:
    outcome = await SCENARIOS[name].run(deployment, SCENARIOS[name].QUICK)
    assert outcome.passed, f"{outcome.checks}\n{deployment.logs()}"
