"""The paths of an app's routes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute


def endpoints_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Each path, as its template where it has parameters."""
    for route in iter_route_contexts(list(routes)):
        path = getattr(route, "path", None)
        if isinstance(path, str):
            yield path


def template_of(scope: Mapping[str, Any]) -> str:
    """The path of the route that FastAPI found for a request, as its template; `other` when it found none."""
    template: str = getattr(scope.get("route"), "path", "other")
    return template
