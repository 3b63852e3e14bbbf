"""The paths of an application's routes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute


def endpoints_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Yield each path, as a template where it has parameters."""
    for route in iter_route_contexts(list(routes)):
        path = getattr(route, "path", None)
        if isinstance(path, str):
            yield path


def template_of(scope: Mapping[str, Any]) -> str:
    """Return the path template of the route that FastAPI found for the request, or `other` when it found none."""
    template: str = getattr(scope.get("route"), "path", "other")
    return template
