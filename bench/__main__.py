"""`make bench`, or `python -m bench [TABLE …]` for some of the tables."""

import os
import shutil
import sys
from pathlib import Path

from bench import tables
from bench.pair import Pair
from bench.processes import LOAD_CORE

TABLES = {
    "token_endpoint": tables.token_endpoint,
    "rotation": tables.rotation,
    "event_loop": tables.event_loop,
    "verified_get": tables.verified_get,
    "logins": tables.logins,
    "memory_and_start": tables.memory_and_start,
}
FOLDER = Path("var/bench")
"""On the disk that `make run` keeps its databases on: what a durable commit costs depends on it."""


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        sys.exit(f"there is no table {unknown[0]}; there are {', '.join(TABLES)}")
    if shutil.which("wrk") is None:
        sys.exit("the benchmarks need wrk (apt-get install wrk)")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.sched_setaffinity(0, LOAD_CORE)
    pair = Pair.prepare(FOLDER.absolute())
    with pair.auth_service():
        pass  # makes the databases, which no start that is measured shall have to
    for name in names or TABLES:
        TABLES[name](pair)


if __name__ == "__main__":
    main(sys.argv[1:])
