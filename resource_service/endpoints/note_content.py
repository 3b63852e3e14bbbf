"""The body of a write, read by hand: FastAPI would read it before it looks for a token, and takes duplicate names."""

from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from resource_service.endpoints.models import NoteContent
from resource_service.problems import Invalid, faults_of
from tallystick.strict_json import parse_object

MAX_BYTES = 256 * 1024
"""The longest note there can be, with every character escaped."""

NOTE_CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": NoteContent.model_json_schema()}}}
}
"""For the `openapi_extra` of an endpoint that takes a Content."""


async def _note_content(request: Request) -> NoteContent:
    """Raises HTTPException 415 for another media type, 413, 400 for what is not strictly JSON; Invalid (422)."""
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise HTTPException(415, "a note is sent as application/json")
    document = await _bounded_body(request)
    try:
        content = parse_object(document)
    except ValueError:
        raise HTTPException(400, "the body is not one well-formed JSON object") from None
    try:
        return NoteContent.model_validate(content)
    except ValidationError as refused:
        raise Invalid(faults_of([{**error, "loc": ("body", *error["loc"])} for error in refused.errors()])) from None


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                # Closing the connection is the only way not to be sent the rest.
                raise HTTPException(413, f"a note is sent in at most {MAX_BYTES} bytes", {"Connection": "close"})
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    return bytes(body)


Content = Annotated[NoteContent, Depends(_note_content)]
