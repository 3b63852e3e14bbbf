"""The paths of an app's routes."""

from collections.abc import Iterable, Iterator

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute


def endpoints_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Each path, as its template where it has parameters."""
    for route in iter_route_contexts(list(routes)):
        path = getattr(route, "path", None)
        if isinstance(path, str):
            yield path
