"""/notes: the notes of the caller."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from resource_service.endpoints.caching import mark_private, mark_version
from resource_service.endpoints.cursor import CURSOR_PATTERN, decode_cursor, encode_cursor
from resource_service.endpoints.dependencies import StoreOfNotes, owner_by
from resource_service.endpoints.models import Note, NotePage
from resource_service.endpoints.note_content import NOTE_CONTENT, Content
from resource_service.openapi import WITH_A_TOKEN, header, problems
from resource_service.store import notes
from resource_service.store.note_id import new_note_id
from tallystick.clock import Clock
from tallystick.fastapi import Tallystick

PAGE: dict[int | str, Any] = {200: header("Link", "the next page, `rel=next` (RFC 8288)", required=False)}
CREATED: dict[int | str, Any] = {201: header("Location", "the URL of the note")}

MAX_LOGIN_AGE = 300
"""Seconds. Deleting all notes requires a login this recent, so that an unlocked computer does not suffice."""
LOGIN_TOO_OLD: dict[int | str, Any] = {
    401: problems(401)[401] | header("WWW-Authenticate", "for an older login: the required `max_age` (RFC 9470 §3)")
}


def notes_endpoints(auth: Tallystick, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["notes"])

    @router.get("/notes", responses=PAGE | problems(*WITH_A_TOKEN, 422))
    async def list_notes(
        owner: Annotated[str, owner_by(auth, "notes:read")],
        store: StoreOfNotes,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[str | None, Query(json_schema_extra={"pattern": CURSOR_PATTERN})] = None,
    ) -> NotePage:
        """A page of your notes, newest first. Notes that are written meanwhile do not move others to another page."""
        older_than = None if cursor is None else decode_cursor(cursor)
        found = await store.read(notes.find_page, owner, older_than=older_than, limit=limit + 1)
        page, has_more = found[:limit], len(found) > limit
        mark_private(response)
        next_cursor = encode_cursor(page[-1].id) if has_more else None
        if next_cursor:
            query = urlencode({"limit": limit, "cursor": next_cursor})
            response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
        return NotePage(notes=[Note.of(note) for note in page], next_cursor=next_cursor)

    @router.post(
        "/notes",
        status_code=201,
        responses=CREATED | problems(*WITH_A_TOKEN, 413, 415, 422),
        openapi_extra=NOTE_CONTENT,
    )
    async def create_note(
        owner: Annotated[str, owner_by(auth, "notes:write")],
        content: Content,
        store: StoreOfNotes,
        request: Request,
        response: Response,
    ) -> Note:
        """Create a note. Only you can read it."""
        note = await store.write(
            notes.add_note, owner, new_note_id(), title=content.title, body=content.body, now=clock()
        )
        response.headers["Location"] = f"{request.url.path}/{note.id}"
        mark_version(response, note.version)
        return Note.of(note)

    @router.delete("/notes", status_code=204, responses=problems(*WITH_A_TOKEN) | LOGIN_TOO_OLD)
    async def delete_all_notes(
        owner: Annotated[str, owner_by(auth, "notes:write", max_age=MAX_LOGIN_AGE)], store: StoreOfNotes
    ) -> None:
        """Delete all of your notes. Requires a login within the last five minutes.

        An older login is answered with 401 `insufficient_user_authentication`. The challenge has the `max_age` for
        another authorization request (RFC 9470). A client that acts for itself has no login: it gets the same answer,
        and can delete its notes one by one.
        """
        await store.write(notes.delete_all_notes, owner)

    return router
