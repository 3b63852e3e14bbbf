"""The body of a write, read by hand: FastAPI would read it before it looks for a token, and takes duplicate names."""

from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from tallystick.strict_json import parse_object

from resource_service.endpoints.models import NoteContent
from resource_service.problems import Invalid, faults_of

NOTE_CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": NoteContent.model_json_schema()}}}
}
"""For the `openapi_extra` of an endpoint that takes a Content."""


async def _note_content(request: Request) -> NoteContent:
    """Raises HTTPException 415 for another media type, 400 for what is not strictly JSON, 422 for another shape."""
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise HTTPException(415, "a note is sent as application/json")
    try:
        content = parse_object(await request.body())
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    except ValueError:
        raise HTTPException(400, "the body is not one well-formed JSON object") from None
    try:
        return NoteContent.model_validate(content)
    except ValidationError as refused:
        raise Invalid(faults_of([{**error, "loc": ("body", *error["loc"])} for error in refused.errors()])) from None


Content = Annotated[NoteContent, Depends(_note_content)]
