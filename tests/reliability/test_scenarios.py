"""The short forms of two scenarios. `make reliability ARGS=--quick` runs all others, `make reliability` all in full."""

import pytest

from tests.reliability.__main__ import jobs
from tests.reliability.deployment import running_deployment
from tests.reliability.scenarios import SCENARIOS, TESTED
from tests.support.postgres import PostgreSQL


@pytest.mark.parametrize("name", [name for name, engine in TESTED if engine == "sqlite"])
async def test_all_checks_pass_on_sqlite(name: str) -> None:
    await check(name, "sqlite")


@pytest.mark.parametrize("name", [name for name, engine in TESTED if engine == "postgresql"])
async def test_all_checks_pass_on_postgresql(name: str, postgresql: PostgreSQL) -> None:
    await check(name, "postgresql", postgresql)


async def check(name: str, engine: str, postgresql: PostgreSQL | None = None) -> None:
    async with running_deployment(engine, postgresql=postgresql) as deployment:
        outcome = await SCENARIOS[name].run(deployment, SCENARIOS[name].QUICK)
        assert outcome.passed, f"{outcome.checks}\n{deployment.logs()}"


def test_each_short_form_runs_either_here_or_in_the_quick_pass() -> None:
    quick = [(name, job.engine) for job in jobs(["--quick"]) for name in job.names]
    every = [(name, engine) for name, scenario in SCENARIOS.items() for engine in scenario.ENGINES]
    assert sorted([*quick, *TESTED]) == sorted(every)


def test_a_full_run_gives_each_scenario_its_own_deployment() -> None:
    every = [(engine, [name]) for name, scenario in SCENARIOS.items() for engine in scenario.ENGINES]
    assert sorted((job.engine, list(job.names)) for job in jobs([])) == sorted(every)


def test_a_named_scenario_runs_on_both_stores_in_the_quick_pass() -> None:
    assert [(job.engine, list(job.names)) for job in jobs(["--quick", "kill"])] == [
        ("sqlite", ["kill"]),
        ("postgresql", ["kill"]),
    ]
