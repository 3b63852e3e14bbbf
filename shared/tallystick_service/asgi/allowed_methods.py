"""The methods of a path, for the `Allow` header of a 405."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match


def allowed_methods(request: Request) -> str:
    """Those of all routes at the path (RFC 9110 §15.5.6). The framework names only the methods of the first route."""
    allowed: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= route.methods or set()
    if "GET" in allowed:
        allowed.add("HEAD")  # `Head` answers it
    return ", ".join(sorted(allowed))
