"""Clients and APIs, one consistent look at both."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store import apis, clients
from auth_service.store.apis import Api
from auth_service.store.clients import Client


@dataclass(frozen=True)
class Registered:
    """What is not disabled. `owner` maps a scope to the API that understands it."""

    clients: dict[str, Client]
    apis: dict[str, Api]
    owner: dict[str, Api]


def load(connection: Connection) -> Registered:
    known = apis.load_all(connection)
    owner = {scope: api for api in known.values() for scope in api.scopes}
    return Registered(clients.load_all(connection), known, owner)
