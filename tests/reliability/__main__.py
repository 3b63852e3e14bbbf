"""`make reliability`, or `python -m tests.reliability [SCENARIO …]` for some of the scenarios.

Exit status 1 when something did not hold.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import uvloop

from tests.reliability.report import Row, as_text, rewrite
from tests.reliability.scenario import Impossible, Scenario
from tests.reliability.scenarios import SCENARIOS
from tests.reliability.site import site


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    rows = list(_rows(options))
    if options.write is not None:
        rewrite(options.write, rows)
    broken = [row for row in rows if row.broke_off or (row.outcome is not None and not row.outcome.held)]
    sys.stdout.write(f"{len(rows)} runs on {os.cpu_count()} cores, {len(broken)} in which something did not hold\n")
    return 1 if broken else 0


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    for name in options.scenarios or SCENARIOS:
        scenario: Scenario = SCENARIOS[name]
        for engine in scenario.ENGINES:
            if options.engine in ("both", engine):
                row = uvloop.run(_row(scenario, engine, is_quick=options.quick))
                sys.stdout.write(as_text(row) + "\n")
                sys.stdout.flush()
                yield row


async def _row(scenario: Scenario, engine: str, *, is_quick: bool) -> Row:
    begin = time.monotonic()
    async with site(engine) as place:
        try:
            outcome = await scenario.run(place, scenario.QUICK if is_quick else scenario.FULL)
        except Impossible as reason:
            return Row(engine, None, skipped=str(reason))
        except Exception as failure:  # the others are worth their hour nevertheless
            sys.stderr.write(f"{traceback.format_exc()}\n{place.logs()}")
            return Row(engine, None, broke_off=f"{scenario.__name__}: {failure!r}")
        if not outcome.held:
            sys.stderr.write(place.logs())
    return Row(engine, outcome, (time.monotonic() - begin) / 60)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description="Faults, done for real.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="the short forms, as in the tests")
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is to be replaced")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if options.write and (options.scenarios or options.quick or options.engine != "both"):
        parser.error("--write replaces the whole table: it wants a whole run")
    if unknown:
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
