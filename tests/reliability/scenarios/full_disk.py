"""The disk of the SQLite store fills up under load and is freed again; no service is restarted."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.history import check_history, check_store
from tests.reliability.report import Outcome, Report
from tests.reliability.scenario import Unsupported
from tests.reliability.service import WAIT_TIMEOUT
from tests.reliability.user_agent import UserAgent, bearer, refresh_grant
from tests.reliability.workload import Workload

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """The disk is full `times` times, each time for `seconds`."""

    times: int
    seconds: float
    megabytes: int


QUICK = Size(times=1, seconds=1.0, megabytes=8)
FULL = Size(times=5, seconds=4.0, megabytes=16)


async def run(deployment: Deployment, size: Size) -> Outcome:
    """Raises Unsupported where no small disk can be mounted."""
    report = Report()
    with _small_disk(deployment.folder / "disk", size.megabytes) as disk:
        deployment.database_url = f"sqlite:///{disk}/auth.db"
        deployment.write_config()
        service = deployment.new_auth_service()
        await service.start()
        try:
            workload = Workload(deployment, report)
            await workload.prepare()
            reader, visitor = deployment.user_agent(EMAILS[-1]), deployment.user_agent(EMAILS[-2])
            await reader.sign_in()
            recoveries = []
            for _ in range(size.times):
                token = (await reader.tokens())["access_token"]
                writer = _Writer(reader, (await reader.tokens())["refresh_token"], report)
                workload.begin()
                await asyncio.sleep(0.3)
                await _fill(disk, writer)
                end = time.monotonic() + size.seconds
                while time.monotonic() < end:
                    await _check_reads(reader, visitor, token, report)
                    report.check("/readyz answers 503", await _is_not_ready(deployment, disk, writer))
                    await asyncio.sleep(0.05)
                await workload.end()
                _check_integrity(disk, report)
                (disk / "filler").unlink()
                recoveries.append(await _seconds_until_writable(deployment, writer))
                await check_history(workload.history, deployment, report)
                workload.history.clear()
            check_store(deployment, report)
        finally:
            await service.kill()  # otherwise the disk cannot be unmounted
    report.figures.append(f"writes work {max(recoveries):.1f} s at most after the disk has room again")
    report.figures.append(workload.figure)
    return report.outcome(
        "a full disk", f"filled {size.times} times under load for {size.seconds:g} s, a tmpfs of {size.megabytes} MB"
    )


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        raise Unsupported("only root can mount a tmpfs that is small enough to fill")
    command = [mount, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Unsupported("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


class _Writer:
    """Rotates one refresh token, which needs a write."""

    def __init__(self, user_agent: UserAgent, refresh_token: str, report: Report) -> None:
        self._user_agent = user_agent
        self._token = refresh_token
        self._report = report

    async def write(self) -> bool:
        """Return False when it was answered with 503."""
        response = await self._user_agent.client_post("/token", refresh_grant(self._token))
        expected = response.status == 200 or response.is_unavailable
        self._report.check("a write succeeds, or answers 503 with Retry-After", expected, response)
        if response.status == 200:
            self._token = response.json()["refresh_token"]
        return response.status == 200


async def _fill(disk: Path, writer: _Writer) -> None:
    """Fill the disk until no write succeeds; existing files may contain room for some more writes."""
    async with asyncio.timeout(WAIT_TIMEOUT):
        while True:
            _use_free_space(disk / "filler")
            if not await writer.write():
                return


def _use_free_space(filler: Path) -> None:
    for chunk in (1 << 20, 1 << 12, 1):
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(bytes(chunk)) == chunk:
                pass


async def _check_reads(reader: UserAgent, visitor: UserAgent, token: str, report: Report) -> None:
    for path in ("/jwks", "/.well-known/openid-configuration"):
        response = await reader.http.get(path)
        report.check("/jwks and the metadata are served", response.status == 200, response)
    response = await reader.http.get("/userinfo", bearer(token))
    report.check("/userinfo and /introspect answer for valid tokens", response.status == 200, response)
    report.check("/userinfo and /introspect answer for valid tokens", await reader.is_active(token))
    response = await visitor.sign_in()
    is_page = response.is_unavailable and b"<html" in response.body
    report.check("a login is answered with a page and 503", is_page, response)


async def _is_not_ready(deployment: Deployment, disk: Path, writer: _Writer) -> bool:
    """A checkpoint may have freed room for one write, which was then that of /readyz: fill the disk and ask again."""
    for _ in range(5):
        await _fill(disk, writer)
        if (await deployment.client().get("/readyz")).is_unavailable:
            return True
    return False


def _check_integrity(disk: Path, report: Report) -> None:
    with closing(sqlite3.connect(f"file:{disk}/auth.db?mode=ro", uri=True)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    report.check("the database is intact while the disk is full (PRAGMA integrity_check)", verdict == "ok", verdict)


async def _seconds_until_writable(deployment: Deployment, writer: _Writer) -> float:
    begin = time.monotonic()
    async with asyncio.timeout(WAIT_TIMEOUT):
        while not await writer.write() or (await deployment.client().get("/readyz")).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - begin
