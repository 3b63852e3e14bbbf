"""The notes API on both databases, or on SQLite where the database makes no difference."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.notes_api import NotesApi, running_notes_api


@pytest.fixture
async def api(notes_tables_url: str) -> AsyncIterator[NotesApi]:
    async with running_notes_api(notes_tables_url) as running:
        yield running


@pytest.fixture
async def quick_api(tmp_path: Path) -> AsyncIterator[NotesApi]:
    """On SQLite only, for the many small cases that do not depend on SQL."""
    async with running_notes_api(f"sqlite:///{tmp_path}/notes.db") as running:
        yield running
