"""Dependencies of the endpoints."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, HTTPException, Path, Request

from resource_service.store.tables import MAX_OWNER_LENGTH
from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick
from tallystick_service.store import Store


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store  # opened by the lifespan
    return store


StoreOfNotes = Annotated[Store, Depends(_store)]


def owner_by(auth: Tallystick, scope: str, *, max_age: int | None = None) -> Any:
    """The owner of the notes: the `sub` of a token that has `scope` and, with `max_age`, a login at most this many
    seconds ago.

    A client that acts for itself has a `sub` too (RFC 9068 §2.2), and so its own notes. It has no login.
    """

    async def owner(claims: Annotated[AccessTokenClaims, auth.requires(scope, max_age=max_age)]) -> str:
        if len(claims.sub) > MAX_OWNER_LENGTH:
            raise HTTPException(403, f"a sub has at most {MAX_OWNER_LENGTH} characters (OIDC Core §2)")
        return claims.sub

    return Depends(owner)


class NoSuchNote(HTTPException):
    """Also the answer for a note of another owner, so that callers do not learn which ids exist."""

    def __init__(self) -> None:
        super().__init__(404, "you have no such note")


async def _note_id(note_id: Annotated[str, Path(json_schema_extra={"format": "uuid"})]) -> UUID:
    """Accepts only the canonical spelling, so that a note has one URL. Raises NoSuchNote."""
    try:
        parsed = UUID(note_id)
    except ValueError:
        raise NoSuchNote from None
    if str(parsed) != note_id:
        raise NoSuchNote
    return parsed


NoteId = Annotated[UUID, Depends(_note_id)]
