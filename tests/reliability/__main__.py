"""`make reliability`, or `python -m tests.reliability [SCENARIO …]`.

The exit status is 1 when a check failed or a scenario ended with an error.
"""

import argparse
import asyncio
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.reliability.deployment import Deployment, running_deployment
from tests.reliability.scenario import Scenario, Unsupported
from tests.reliability.scenarios import KEYS, LOADS, SCENARIOS, TESTED
from tests.reliability.table import Row, as_text, rewrite_table

QUICK_JOBS = 3
"""Deployments that the quick pass runs at the same time: most scenarios spend most of their time waiting."""


@dataclass(frozen=True)
class Job:
    """Scenarios that run one after the other on one deployment."""

    engine: str
    names: Sequence[str]


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    rows = uvloop.run(_run_all(jobs(arguments), is_quick=options.quick))
    if options.write is not None:
        rewrite_table(options.write, rows)
    failed = [row for row in rows if row.failed]
    sys.stdout.write(f"{len(rows)} runs on {os.cpu_count()} cores, {len(failed)} failed\n")
    return 1 if failed else 0


def jobs(arguments: list[str]) -> list[Job]:
    """What the command with these arguments runs."""
    return list(_jobs(_options(arguments)))


def _jobs(options: argparse.Namespace) -> Iterator[Job]:
    names: Sequence[str] = options.scenarios or list(SCENARIOS)
    groups: list[Sequence[str]] = [[name] for name in names]
    if options.quick:
        groups = [[name for name in group if name in names] for group in (LOADS, KEYS)]
        groups += [[name] for name in names if name not in (*LOADS, *KEYS)]
    left_out = TESTED if options.quick and not options.scenarios else ()
    for group in groups:
        for engine in ("sqlite", "postgresql"):
            chosen = [name for name in group if engine in SCENARIOS[name].ENGINES and (name, engine) not in left_out]
            if chosen and options.engine in ("both", engine):
                yield Job(engine, chosen)


async def _run_all(jobs: list[Job], *, is_quick: bool) -> list[Row]:
    free = asyncio.Semaphore(QUICK_JOBS if is_quick else 1)

    async def run(job: Job) -> list[Row]:
        async with free, running_deployment(job.engine) as deployment:
            return [await _row(SCENARIOS[name], deployment, is_quick=is_quick) for name in job.names]

    return [row for rows in await asyncio.gather(*map(run, jobs)) for row in rows]


async def _row(scenario: Scenario, deployment: Deployment, *, is_quick: bool) -> Row:
    row = await _result(scenario, deployment, is_quick=is_quick)
    sys.stdout.write(as_text(row) + "\n")
    sys.stdout.flush()
    if row.failed:
        sys.stderr.write(deployment.logs())
    return row


async def _result(scenario: Scenario, deployment: Deployment, *, is_quick: bool) -> Row:
    begin = time.monotonic()
    try:
        outcome = await scenario.run(deployment, scenario.QUICK if is_quick else scenario.FULL)
    except Unsupported as reason:
        return Row(deployment.engine, None, skipped=f"{scenario.__name__}: {reason}")
    except Exception as error:  # the other scenarios still run
        sys.stderr.write(traceback.format_exc())
        return Row(deployment.engine, None, error=f"{scenario.__name__}: {error!r}")
    return Row(deployment.engine, outcome, (time.monotonic() - begin) / 60)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description="Fault scenarios.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all if none")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"the short forms, {QUICK_JOBS} at a time; without names, of all that `make test` does not run",
    )
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is replaced")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if options.write and (options.scenarios or options.quick or options.engine != "both"):
        parser.error("--write replaces the whole table, so it needs a complete run")
    if unknown:
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
