"""Many people at the login page, in a process of their own: what it costs to be so many is not measured at the others.

`python -m tests.reliability.crowd PORT ISSUER COUNT`: for each line on stdin they open the page, and for the next one
they all press the button at once; each time a line of JSON says how it ended, by status.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import uvloop

from tests.reliability.declared import PASSWORD, PEOPLE
from tests.reliability.person import Person
from tests.reliability.service import PATIENCE, ROOT
from tests.reliability.site import Site
from tests.reliability.wire import Answer, Wire


class Crowd:
    """The process, for the one that started it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def of(cls, site: Site, count: int) -> AsyncIterator[Self]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.reliability.crowd", str(site.port), site.issuer, str(count)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def go_on(self) -> Counter[int]:
        """To the page, or from there to where they end: how many with which status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        statuses = json.loads(await self._process.stdout.readline())
        return Counter({int(status): count for status, count in statuses.items()})


async def _stand_by(port: int, issuer: str, count: int) -> None:
    people = [Person(Wire(port, patience=PATIENCE), issuer, email) for email in PEOPLE[:count]]
    pages: list[Answer] = []
    while await asyncio.to_thread(sys.stdin.readline):
        if pages:
            answers = await asyncio.gather(*map(_press_the_button, people, pages))
            pages = []
        else:
            answers = pages = [await _open_the_page(person) for person in people]
        print(json.dumps(Counter(answer.status for answer in answers)), flush=True)


async def _open_the_page(person: Person) -> Answer:
    person.forget()  # somebody whom the browser does not know
    return await person.authorize()


async def _press_the_button(person: Person, page: Answer) -> Answer:
    return await person.submit(page, username=person.email, password=PASSWORD)


if __name__ == "__main__":
    os.nice(10)  # they would have a machine of their own
    uvloop.run(_stand_by(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
