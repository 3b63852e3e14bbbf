"""Redirects, and URLs with more parameters."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response


def redirect(url: str) -> Response:
    """A 303. A 307 would send the form, and the password in it, to the target as well (RFC 9700 §4.12)."""
    return Response(status_code=303, headers={"Cache-Control": "no-store", "Location": url})


def add_query(url: str, parameters: Mapping[str, str]) -> str:
    """`url` with `parameters` after the query that it has, if any. `url` must not have a fragment."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
