"""Password verification alone, on every core, in a process of its own.

Argument: seconds. Prints the count, the elapsed seconds and the CPU seconds.
"""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from passlib.hash import argon2  # type: ignore[import-untyped]

from auth_service.authentication.users.passwords import Passwords
from bench.services import PASSWORD


def main(seconds: float) -> None:
    hashed = Passwords.hash(PASSWORD)
    cores = len(os.sched_getaffinity(0))
    cpu, begin = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(cores, initializer=_lower_priority) as threads:
        counts = list(threads.map(lambda _: _verify(hashed, begin + seconds), range(cores)))
    print(sum(counts), time.perf_counter() - begin, time.process_time() - cpu)


def _verify(hashed: str, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        if not argon2.verify(PASSWORD, hashed):
            raise RuntimeError("no match")
        count += 1
    return count


def _lower_priority() -> None:
    """Use the priority of the service's hashing threads, so that other load on the machine slows both equally."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


if __name__ == "__main__":
    main(float(sys.argv[1]))
