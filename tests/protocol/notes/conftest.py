"""The notes API on both databases."""

from collections.abc import AsyncIterator

import pytest

from tests.support.notes_api import NotesApi, running_notes_api


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[NotesApi]:
    async with running_notes_api(database_url) as running:
        yield running
