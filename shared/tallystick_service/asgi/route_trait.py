"""Marks that an endpoint carries, for middleware and error handlers that treat its requests differently."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

E = TypeVar("E", bound=Callable[..., Any])


class RouteTrait:
    """A decorator for endpoints. Write it below the route decorator:

        @router.get("/jwks")
        @POLLED
        async def jwks() -> Response: ...

    After routing, `POLLED.is_on(scope)` tells whether the request reached a marked endpoint. Middleware that runs
    before routing matches the path itself, against `POLLED.routes(app.routes)`.
    """

    def __init__(self, name: str) -> None:
        self._attribute = f"_trait_{name}"

    def __call__(self, endpoint: E) -> E:
        setattr(endpoint, self._attribute, True)
        return endpoint

    def is_on(self, scope: Mapping[str, Any]) -> bool:
        """Whether FastAPI found a marked route for this request. False before routing, and when no route matched."""
        return self._marks(scope.get("route"))

    def routes(self, routes: Iterable[BaseRoute]) -> Iterator[RouteContext]:
        """The marked ones, those of included routers too. Each has `path`, `methods` and `matches(scope)`."""
        return (route for route in iter_route_contexts(list(routes)) if self._marks(route))

    def _marks(self, route: object) -> bool:
        return getattr(getattr(route, "endpoint", None), self._attribute, False)
