"""OpenAPI descriptions for endpoints that read their query or form themselves."""

from collections.abc import Collection, Mapping
from typing import Any

from starlette.responses import Response

_ERROR_DESCRIPTIONS = {
    400: "The request was refused (RFC 6749 §5.2).",
    401: "The client, or the access token, could not be authenticated.",
    403: "The access token does not have the required scope, or the configuration does not allow this.",
    404: "There is nothing here.",
    413: "The body is too large.",
    429: "Too many attempts; Retry-After gives the seconds to wait.",
    501: "This is not offered.",
    503: "A part of the service does not answer; Retry-After gives the seconds to wait.",
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` for JSON endpoints. Every error has the form of RFC 6749 §5.2.

    `error` is not required: a request without an access token gets none (RFC 6750 §3.1).
    """
    schema = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
    }
    return {
        status: {"description": _ERROR_DESCRIPTIONS[status], "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


def form_body(*, required: list[str], **fields: str) -> dict[str, Any]:
    """`openapi_extra=` for a form of text fields. Each field has its description."""
    schema = {
        "type": "object",
        "required": required,
        "properties": {name: {"type": "string", "description": text} for name, text in fields.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


def json_body(description: str) -> dict[str, Any]:
    """`openapi_extra=` for one JSON object whose members an RFC defines."""
    schema = {"type": "object", "description": description}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def browser_endpoint(
    *, pages: Mapping[int, str], redirect: str, parameters: Mapping[str, str], required: Collection[str] = ()
) -> dict[str, Any]:
    """Keyword arguments for the route of an endpoint that a client sends the browser to.

    `pages` describes the HTML pages by status, `redirect` the target of a 303, and `parameters` the parameters of the
    query by name.
    """
    content = {"text/html": {"schema": {"type": "string"}}}
    documented = {status: {"description": text, "content": content} for status, text in pages.items()}
    query = [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in parameters.items()
    ]
    return {
        "response_class": Response,
        "responses": documented | {303: {"description": redirect}},
        "openapi_extra": {"parameters": query},
    }
