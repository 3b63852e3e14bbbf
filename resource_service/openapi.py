"""What FastAPI cannot put into the OpenAPI document by itself: answers of another media type, and headers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

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
    """Put the schema that `problems` points to into the document of `app`, in place of FastAPI's own 422."""
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        document = framework()
        schemas = document["components"]["schemas"]
        problem = TypeAdapter(Problem).json_schema(mode="serialization", ref_template=_COMPONENTS)
        schemas |= problem.pop("$defs") | {Problem.__name__: problem}
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        for operations in document["paths"].values():
            for operation in operations.values():
                if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                    del operation["responses"]["422"]  # added to whatever has a parameter; ours take any text
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document
