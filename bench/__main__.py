"""`make bench`, or `python -m bench [TABLE …]` for some of the tables."""

import os
import shutil
import sys
from pathlib import Path

from bench import tables
from bench.processes import LOAD_CORE
from bench.services import Services

TABLES = {
    "token_endpoint": tables.token_endpoint,
    "rotation": tables.rotation,
    "event_loop": tables.event_loop,
    "verified_get": tables.verified_get,
    "verified_drf": tables.verified_drf,
    "verified_flask": tables.verified_flask,
    "verified_fastapi": tables.verified_fastapi,
    "logins": tables.logins,
    "memory_and_start": tables.memory_and_start,
}
FOLDER = Path("var/bench")
"""On the disk where `make run` keeps its databases, because the cost of a durable commit depends on the disk."""


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        sys.exit(f"there is no table {unknown[0]}; there are {', '.join(TABLES)}")
    if shutil.which("wrk") is None:
        sys.exit("the benchmarks need wrk (apt-get install wrk)")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.sched_setaffinity(0, LOAD_CORE)
    services = Services.prepare(FOLDER.absolute())
    with services.auth_service():
        pass  # creates the database, so that no measured start does
    for name in names or TABLES:
        TABLES[name](services)


if __name__ == "__main__":
    main(sys.argv[1:])
