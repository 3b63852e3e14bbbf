"""/notes/{note_id}: one note of the caller."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from resource_service.endpoints.caching import mark_version
from resource_service.endpoints.dependencies import NoSuchNote, NoteId, StoreOfNotes, owner_by
from resource_service.endpoints.models import Note
from resource_service.endpoints.note_content import NOTE_CONTENT, Content
from resource_service.endpoints.preconditions import PreconditionFailed, Preconditions
from resource_service.openapi import WITH_A_TOKEN, header, problems
from resource_service.store import notes
from resource_service.store.notes import VersionRefused
from tallystick.clock import Clock
from tallystick.fastapi import Tallystick

VERSION: dict[int | str, Any] = {200: header("ETag", "the version of the note, for If-Match and If-None-Match")}
NOT_MODIFIED: dict[int | str, Any] = {304: {"description": "Not Modified: you have this version"}}


def note_endpoints(auth: Tallystick, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["notes"])

    @router.get(
        "/notes/{note_id}", response_model=Note, responses=VERSION | NOT_MODIFIED | problems(*WITH_A_TOKEN, 404, 412)
    )
    async def read_note(
        owner: Annotated[str, owner_by(auth, "notes:read")],
        note_id: NoteId,
        preconditions: Preconditions,
        store: StoreOfNotes,
        response: Response,
    ) -> Note | Response:
        """One of your notes. With If-None-Match, 304 if it has not changed since you read it."""
        note = await store.read(notes.find_note, owner, note_id)
        if note is None:
            raise NoSuchNote
        if not preconditions.match(note.version):
            raise PreconditionFailed
        mark_version(response, note.version)
        if not preconditions.none_match(note.version):
            return Response(status_code=304, headers=dict(response.headers))
        return Note.of(note)

    @router.put(
        "/notes/{note_id}",
        responses=VERSION | problems(*WITH_A_TOKEN, 404, 412, 413, 415, 422),
        openapi_extra=NOTE_CONTENT,
    )
    async def replace_note(
        owner: Annotated[str, owner_by(auth, "notes:write")],
        note_id: NoteId,
        preconditions: Preconditions,
        content: Content,
        store: StoreOfNotes,
        response: Response,
    ) -> Note:
        """Replace title and body of a note. With If-Match, only if it has not changed since you read it."""
        match await store.write(
            notes.replace_note,
            owner,
            note_id,
            title=content.title,
            body=content.body,
            now=clock(),
            may_write=preconditions.may_write,
        ):
            case None:
                raise NoSuchNote
            case VersionRefused():
                raise PreconditionFailed
            case note:
                mark_version(response, note.version)
                return Note.of(note)

    @router.delete("/notes/{note_id}", status_code=204, responses=problems(*WITH_A_TOKEN, 404, 412))
    async def delete_note(
        owner: Annotated[str, owner_by(auth, "notes:write")],
        note_id: NoteId,
        preconditions: Preconditions,
        store: StoreOfNotes,
    ) -> None:
        """Delete a note. With If-Match, only if it has not changed since you read it."""
        match await store.write(notes.delete_note, owner, note_id, may_write=preconditions.may_write):
            case False:
                raise NoSuchNote
            case VersionRefused():
                raise PreconditionFailed

    return router
