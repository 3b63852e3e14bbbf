"""examples/native_cli beside the demo: a program signs its user in by a loopback redirect (RFC 8252)."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from deploy.local.client_secrets import Account
from tests.support.demo import Demo
from tests.support.patience import PATIENCE
from tests.support.relying_party import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Program:
    """The program with a token file of its own."""

    def __init__(self, demo: Demo, file: Path) -> None:
        self.demo = demo
        self.file = file

    async def start(self, *arguments: str) -> Process:
        ours = {"ISSUER": self.demo.auth, "API": self.demo.api, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "examples.native_cli", *arguments, "--tokens", str(self.file)]
        return await asyncio.create_subprocess_exec(*command, env=os.environ | ours, stdout=PIPE, stderr=PIPE)

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        """Return the exit status, the output and the error output."""
        process = await self.start(*arguments)
        printed, complained = await process.communicate()
        return process.returncode, printed.decode(), complained.decode()

    async def sign_in(self, person: Account) -> None:
        """Run `login`, and do in a browser without scripts what the user does."""
        process = await self.start("login", "--no-browser")
        assert process.stdout is not None
        await process.stdout.readline()
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=self.demo.auth, timeout=PATIENCE) as http:
            browser = Browser(http, self.demo.auth)
            page = await browser.sign_in(await browser.open(url), username=person.email, password=person.password)
            assert "A program on this device is asking" in page.text
            last_page = await http.get((await browser.allow(page)).headers["location"])
        assert "Back to the program" in last_page.text
        _, complained = await process.communicate()
        assert (process.returncode, complained) == (0, b"")

    def change_tokens(self, **changes: object) -> None:
        content = json.loads(self.file.read_text())
        content["tokens"] |= changes
        self.file.write_text(json.dumps(content))


async def test_a_program_signs_in_lists_notes_and_signs_out(demo: Demo, person: Account, tmp_path: Path) -> None:
    program = Program(demo, tmp_path / "tokens.json")
    await program.sign_in(person)
    assert program.file.stat().st_mode & 0o777 == 0o600
    no_notes = (0, "", "You have no notes yet. In the demo, http://app-one.localhost:8011 adds one.\n")
    assert await program.run("notes") == no_notes
    program.change_tokens(access_token="refused by the API")
    assert await program.run("notes") == no_notes
    signed_in = program.file.read_bytes()
    assert b"refused" not in signed_in
    assert await program.run("logout") == (0, "You are signed out.\n", "")
    assert not program.file.exists()
    program.file.touch(mode=0o600)
    program.file.write_bytes(signed_in)
    program.change_tokens(expires_at=0)
    status, _, complaint = await program.run("notes")
    assert (status, complaint) == (1, "native_cli: you are not signed in; the command `login` signs you in\n")
