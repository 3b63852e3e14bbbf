"""A fixture that reads the audit trail."""

import pytest

from auth_service.store.audit.audit_reader import Entry, Position, Selection, read_page
from tallystick_service.store import Store
from tests.support.auth_service import AuthService


class Trail:
    """The rows of the audit trail since the last call of `new()`, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after: Position | None = None

    async def new(self) -> list[Entry]:
        entries = await self._store.read(read_page, Selection(), self._after, size=10_000)
        if entries:
            self._after = entries[-1].position
        return entries

    async def events(self) -> list[str]:
        return [entry.event for entry in await self.new()]


@pytest.fixture
async def trail(auth: AuthService) -> Trail:
    """The rows that are written from now on."""
    trail = Trail(auth.store)
    await trail.new()
    return trail
