"""The APIs, and which of them understands a scope."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store import apis
from auth_service.store.apis import Api


@dataclass(frozen=True)
class Registered:
    """What is not disabled. `apis` by audience; `owner` maps a scope to the API that understands it."""

    apis: dict[str, Api]
    owner: dict[str, Api]


def load(connection: Connection) -> Registered:
    known = apis.load_all(connection)
    return Registered(known, {scope: api for api in known.values() for scope in api.scopes})
