"""The query of a request, as text."""

from starlette.requests import Request

from tallystick.errors import InvalidRequest


def raw_query(request: Request) -> str:
    """The query as it was sent. Raises InvalidRequest for bytes that a URL cannot hold (RFC 3986 §2)."""
    query: bytes = request.scope["query_string"]
    try:
        return query.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidRequest("the query is not ASCII", reason="request_malformed") from None
