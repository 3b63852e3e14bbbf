"""Where a page of notes ended, as text that callers hand back and need not understand."""

from uuid import UUID

from fastapi import HTTPException

from tallystick import base64url

CURSOR_PATTERN = "^[A-Za-z0-9_-]{21}[AQgw]$"
"""16 bytes in base64url, for the documentation."""


def encode_cursor(last_note: UUID) -> str:
    return base64url.encode(last_note.bytes)


def decode_cursor(cursor: str) -> UUID:
    """Raises HTTPException 400 for what we never handed out."""
    try:
        return UUID(bytes=base64url.decode(cursor))
    except ValueError:
        raise HTTPException(400, "the cursor is not one of ours") from None
