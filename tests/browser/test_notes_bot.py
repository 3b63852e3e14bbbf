"""examples/notes_bot beside the demo: a program sees its own notes only."""

import asyncio
import os
import sys

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.steps import add_note, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def run_notes_bot(demo: Demo) -> str:
    """Run the program once, and return its output."""
    environment = {"ISSUER": demo.auth, "API": demo.api, "CLIENT_SECRET": demo.files.secret("notes-bot")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.notes_bot", env=os.environ | environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


async def test_a_program_and_a_person_see_their_own_notes_only(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await add_note(page, "A person wrote this")
    printed = await run_notes_bot(demo)
    assert "notes-bot wrote: The night of" in printed
    assert "A person wrote this" not in printed
    assert "writing is refused: 403" in printed
    assert 'error="insufficient_scope"' in printed
    await page.reload()
    await expect(page.locator(".entry h2")).to_have_text(["A person wrote this"])
