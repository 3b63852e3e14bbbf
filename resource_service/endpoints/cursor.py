"""The cursor of a page: an opaque text that names the last note of the page before."""

from uuid import UUID

from fastapi import HTTPException

from tallystick import base64url

CURSOR_PATTERN = "^[A-Za-z0-9_-]{21}[AQgw]$"
"""16 bytes in base64url, for the OpenAPI document."""


def encode_cursor(last_note: UUID) -> str:
    return base64url.encode(last_note.bytes)


def decode_cursor(cursor: str) -> UUID:
    """The id of the note. Raises HTTPException 400 for any other text."""
    try:
        return UUID(bytes=base64url.decode(cursor))
    except ValueError:
        raise HTTPException(400, "the cursor is malformed") from None
