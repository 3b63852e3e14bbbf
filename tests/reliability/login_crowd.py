"""Many users at the login page, simulated by another process, so that its CPU time does not delay the measurement.

`python -m tests.reliability.login_crowd PORT ISSUER COUNT`: the first line on stdin makes every user open the login
page, the second makes all of them submit it at the same time, and so on. Each line is answered with the statuses of
the responses as JSON.
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

from tests.reliability.configuration import EMAILS, PASSWORD
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import RawHTTPClient, RawResponse
from tests.reliability.service import ROOT, WAIT_TIMEOUT
from tests.reliability.user_agent import UserAgent


class LoginCrowd:
    """The process, for its parent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(cls, deployment: Deployment, count: int) -> AsyncIterator[Self]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.reliability.login_crowd"),
            *(str(deployment.port), deployment.issuer, str(count)),
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

    async def step(self) -> Counter[int]:
        """Open the login pages, or submit the opened ones; return the statuses."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        statuses = json.loads(await self._process.stdout.readline())
        return Counter({int(status): count for status, count in statuses.items()})


async def _main(port: int, issuer: str, count: int) -> None:
    users = [UserAgent(RawHTTPClient(port, timeout=WAIT_TIMEOUT), issuer, email) for email in EMAILS[:count]]
    pages: list[RawResponse] = []
    while await asyncio.to_thread(sys.stdin.readline):
        if pages:
            responses = await asyncio.gather(*map(_submit, users, pages))
            pages = []
        else:
            responses = pages = [await _open_login_page(user) for user in users]
        print(json.dumps(Counter(response.status for response in responses)), flush=True)


async def _open_login_page(user: UserAgent) -> RawResponse:
    user.clear_cookies()  # an unknown device
    return await user.authorize()


async def _submit(user: UserAgent, page: RawResponse) -> RawResponse:
    return await user.submit(page, username=user.email, password=PASSWORD)


if __name__ == "__main__":
    os.nice(10)  # real users do not take CPU time from the services
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
