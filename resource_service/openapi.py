"""What FastAPI cannot put into the OpenAPI document by itself: answers of another media type, and headers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from resource_service.problems import MEDIA_TYPE, Problem

_COMPONENTS = "#/components/schemas/{model}"
_PROBLEM = {"schema": {"$ref": _COMPONENTS.format(model=Problem.__name__)}}

WITH_A_TOKEN = (400, 401, 403, 503)
"""What any endpoint that wants a token may answer: two tokens, no good one, too little scope, no keys or no store."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of an endpoint."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: _PROBLEM}} for status in statuses
    }


def header(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    """For one status in the `responses` of an endpoint."""
    return {"headers": {name: {"description": description, "required": required, "schema": {"type": "string"}}}}


def document_problems(app: FastAPI) -> None:
    """Put the schema that `problems` points to into the document of `app`."""
    without_problems = app.openapi

    def openapi() -> dict[str, Any]:
        document = without_problems()
        _, definitions = models_json_schema([(Problem, "serialization")], ref_template=_COMPONENTS)
        document["components"]["schemas"].update(definitions["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document
