"""The disk under the SQLite store fills up under load, and is freed again; nothing of ours is restarted."""

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

from tests.reliability.declared import PEOPLE
from tests.reliability.ledger import compare, compare_store
from tests.reliability.load import Load
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Person, bearer, rotation
from tests.reliability.scenario import Impossible
from tests.reliability.service import PATIENCE
from tests.reliability.site import Site
from tests.reliability.wire import Answer

ENGINES = ("sqlite",)


@dataclass(frozen=True)
class Size:
    """`full`: seconds for which the disk is."""

    times: int
    full: float
    megabytes: int


QUICK = Size(times=1, full=1.0, megabytes=8)
FULL = Size(times=5, full=4.0, megabytes=16)


async def run(site: Site, size: Size) -> Outcome:
    """Raises Impossible where no small disk can be had."""
    findings = Findings()
    with _small_disk(site.folder / "disk", size.megabytes) as disk:
        site.database_url = f"sqlite:///{disk}/auth.db"
        site.write_config()
        service = site.auth_service()
        await service.start()
        try:
            load = Load(site, findings)
            await load.prepare()
            reader, stranger = site.person(PEOPLE[-1]), site.person(PEOPLE[-2])
            await reader.sign_in()
            recoveries = []
            for _ in range(size.times):
                token = (await reader.tokens())["access_token"]
                writer = _Writer(reader, (await reader.tokens())["refresh_token"], findings)
                load.begin()
                await asyncio.sleep(0.3)
                await _fill(disk, writer)
                end = time.monotonic() + size.full
                while time.monotonic() < end:
                    await _what_goes_on(reader, stranger, token, findings)
                    findings.promise("/readyz tells that nothing can be written", await _is_told(site, disk, writer))
                    await asyncio.sleep(0.05)
                await load.end()
                _is_whole(disk, findings)
                (disk / "filler").unlink()
                recoveries.append(await _seconds_until_it_writes(site, writer))
                await compare(load.ledger, site, findings)
                load.ledger.settle()
            compare_store(site, findings)
        finally:
            await service.kill()  # or the disk cannot be taken away
    findings.figures.append(f"written again {max(recoveries):.1f} s at most after there is room")
    findings.figures.append(", ".join(f"{count:,} {what}" for what, count in sorted(load.counts.items())))
    return findings.outcome(
        "a full disk", f"filled {size.times} times under load for {size.full:.0f} s, a tmpfs of {size.megabytes} MB"
    )


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        raise Impossible("a disk small enough to be filled wants root, to mount a tmpfs")
    command = [mount, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Impossible("a disk small enough to be filled cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


class _Writer:
    """Rotates one refresh token; each success has been written."""

    def __init__(self, person: Person, refresh_token: str, findings: Findings) -> None:
        self._person = person
        self._token = refresh_token
        self._findings = findings

    async def writes(self) -> bool:
        """False when it was put off."""
        answer = await self._person.client_post("/token", rotation(self._token))
        as_it_should = answer.status == 200 or _is_put_off(answer)
        self._findings.promise("a write succeeds, or answers 503 with Retry-After", as_it_should, answer)
        if answer.status == 200:
            self._token = answer.json()["refresh_token"]
        return answer.status == 200


async def _fill(disk: Path, writer: _Writer) -> None:
    """Until no write succeeds any more; the room in files that are there already is used up, too."""
    async with asyncio.timeout(PATIENCE):
        while True:
            _take_all_room(disk / "filler")
            if not await writer.writes():
                return


def _take_all_room(filler: Path) -> None:
    for chunk in (1 << 20, 1 << 12, 1):
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(bytes(chunk)) == chunk:
                pass


async def _what_goes_on(reader: Person, stranger: Person, token: str, findings: Findings) -> None:
    for path in ("/jwks", "/.well-known/openid-configuration"):
        answer = await reader.wire.get(path)
        findings.promise("/jwks and the metadata go on", answer.status == 200, answer)
    answer = await reader.wire.get("/userinfo", bearer(token))
    findings.promise("/userinfo and /introspect go on for live tokens", answer.status == 200, answer)
    findings.promise("/userinfo and /introspect go on for live tokens", await reader.is_active(token))
    answer = await stranger.sign_in()
    findings.promise(
        "a login is put off with a page and a 503", _is_put_off(answer) and b"<html" in answer.body, answer
    )


async def _is_told(site: Site, disk: Path, writer: _Writer) -> bool:
    """A checkpoint may have made room for one write more, which was then /readyz's own; so it is asked again."""
    for _ in range(5):
        await _fill(disk, writer)
        if _is_put_off(await site.wire().get("/readyz")):
            return True
    return False


def _is_put_off(answer: Answer) -> bool:
    return answer.status == 503 and "retry-after" in answer.headers


def _is_whole(disk: Path, findings: Findings) -> None:
    with closing(sqlite3.connect(f"file:{disk}/auth.db?mode=ro", uri=True)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    findings.promise("the database is whole while the disk is full (PRAGMA integrity_check)", verdict == "ok", verdict)


async def _seconds_until_it_writes(site: Site, writer: _Writer) -> float:
    begin = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not await writer.writes() or (await site.wire().get("/readyz")).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - begin
