"""OpenAPI for endpoints that read their forms themselves."""

from collections.abc import Collection, Mapping
from typing import Any

_REFUSALS = {
    400: "The request was refused (RFC 6749 §5.2).",
    401: "The client, or the access token, could not be authenticated.",
    403: "The access token does not have the scope that this needs, or the configuration does not allow this.",
    404: "There is nothing here.",
    413: "The body is too large.",
    429: "Too many attempts; Retry-After says when to come back.",
    501: "This is not offered.",
    503: "Something that we need is away for a moment; Retry-After says when to come back.",
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` for JSON endpoints; every refusal has RFC 6749's form.

    `error` is not required: who brings no access token gets none (RFC 6750 §3.1).
    """
    schema = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
    }
    return {
        status: {"description": _REFUSALS[status], "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


def form_body(*, required: list[str], **fields: str) -> dict[str, Any]:
    """`openapi_extra=` for a form of text fields, each with its description."""
    schema = {
        "type": "object",
        "required": required,
        "properties": {name: {"type": "string", "description": text} for name, text in fields.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


def json_body(description: str) -> dict[str, Any]:
    """`openapi_extra=` for one JSON object, whose members the RFC names."""
    schema = {"type": "object", "description": description}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def query_parameters(descriptions: Mapping[str, str], *, required: Collection[str] = ()) -> dict[str, Any]:
    """`openapi_extra=` for an endpoint that reads its query itself; `descriptions` by the parameters' names."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in descriptions.items()
        ]
    }


def page_responses(pages: Mapping[int, str], *, redirect: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` for an endpoint that a browser visits: its pages by status, and the target of its 303."""
    content = {"text/html": {"schema": {"type": "string"}}}
    documented: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": content} for status, text in pages.items()
    }
    return documented | {303: {"description": redirect}}
