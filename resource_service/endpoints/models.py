"""The request and response bodies of the API."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from resource_service.store.notes import StoredNote

_NO_NUL = "^[^\\x00]*$"  # PostgreSQL does not store NUL in text


class NoteContent(BaseModel):
    """The content of a note, from its owner. `body` is empty by default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_NUL)]
    body: Annotated[str, StringConstraints(max_length=20_000, pattern=_NO_NUL)] = ""


class Note(BaseModel):
    id: UUID
    title: str
    body: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, note: StoredNote) -> Self:
        return cls(
            id=note.id,
            title=note.title,
            body=note.body,
            created_at=datetime.fromtimestamp(note.created_at, UTC),
            updated_at=datetime.fromtimestamp(note.updated_at, UTC),
        )


class NotePage(BaseModel):
    """Newest first."""

    notes: list[Note]
    next_cursor: Annotated[str | None, Field(description="For the next page; null when there is none.")]
