"""The APIs: the audiences that tokens are issued for, and their scopes."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, select

from auth_service.store.schema.tables import apis
from tallystick_service.urls import without_root_path


@dataclass(frozen=True)
class Api:
    audience: str
    name: str
    scopes: dict[str, str]
    """Each scope with a sentence for the consent page."""
    introspection_clients: frozenset[str]


@dataclass(frozen=True)
class Apis:
    """All APIs that are not disabled. `owner` maps a scope to the API that it belongs to."""

    by_audience: dict[str, Api]
    owner: dict[str, Api]

    def for_resource(self, resource: str) -> Api | None:
        """The API that a `resource` parameter names (RFC 8707 §2); an empty path and "/" are the same."""
        return self.by_audience.get(resource) or self._by_resource.get(without_root_path(resource))

    @cached_property
    def _by_resource(self) -> dict[str, Api]:
        return {without_root_path(audience): api for audience, api in self.by_audience.items()}


def load_apis(connection: Connection) -> Apis:
    rows = connection.execute(select(apis).where(apis.c.disabled_at.is_(None)).order_by(apis.c.audience))
    known = [Api(row.audience, row.name, row.scopes, frozenset(row.introspection_clients)) for row in rows]
    return Apis({api.audience: api for api in known}, {scope: api for api in known for scope in api.scopes})
