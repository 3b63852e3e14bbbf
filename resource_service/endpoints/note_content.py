"""Read the body of a write. FastAPI would read it before it checks the token, and accepts duplicate member names."""

from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from resource_service.endpoints.models import NoteContent
from resource_service.problems import Invalid, faults_of
from tallystick.strict_json import parse_object

MAX_BYTES = 256 * 1024
"""The longest possible note, with every character escaped."""

NOTE_CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": NoteContent.model_json_schema()}}}
}
"""`openapi_extra` of an endpoint with a Content parameter."""


async def _note_content(request: Request) -> NoteContent:
    """Raises HTTPException 415 for another media type, 413 for a large body, 400 for malformed JSON; Invalid (422)."""
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise HTTPException(415, "the Content-Type of a note is application/json")
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
                # Only closing the connection stops the client from sending the rest.
                raise HTTPException(413, f"a note has at most {MAX_BYTES} bytes", {"Connection": "close"})
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    return bytes(body)


Content = Annotated[NoteContent, Depends(_note_content)]
