"""Parts of the OpenAPI document that FastAPI does not generate: problem details, and response headers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from resource_service.problems import MEDIA_TYPE, Problem

_COMPONENTS = "#/components/schemas/{model}"
_PROBLEM = {"schema": {"$ref": _COMPONENTS.format(model=Problem.__name__)}}

WITH_A_TOKEN = (400, 401, 403, 503)
"""Error statuses of every endpoint that requires a token: two tokens, no valid token, insufficient scope, no keys."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of an endpoint."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: _PROBLEM}} for status in statuses
    }


def header(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    """A response header, for one status in the `responses` of an endpoint."""
    return {"headers": {name: {"description": description, "required": required, "schema": {"type": "string"}}}}


def document_problems(app: FastAPI) -> None:
    """Add the schema of problem details to the document of `app`, and remove FastAPI's own 422."""
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
                    del operation["responses"]["422"]  # FastAPI adds it to each operation with a parameter
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
