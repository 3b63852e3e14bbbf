"""Cache headers: a response is stored only for its caller, and revalidated each time (RFC 9111 §5.2.2)."""

from fastapi import Response

from resource_service.endpoints.preconditions import entity_tag


def mark_private(response: Response) -> None:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"


def mark_version(response: Response, version: int) -> None:
    mark_private(response)
    response.headers["ETag"] = entity_tag(version)
