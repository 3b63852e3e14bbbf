"""Which methods a path has, for the `Allow` header of a 405."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match


def allowed_methods(request: Request) -> str:
    """Of all routes at the request's path; the framework names only those of the first (RFC 9110 §15.5.6 wants all)."""
    allowed: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= route.methods or set()
    if "GET" in allowed:
        allowed.add("HEAD")  # see Head
    return ", ".join(sorted(allowed))
