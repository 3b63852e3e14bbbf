"""Facts about the current request for its log lines: the client, its authentication method, a refused address.

`RequestId` creates the facts, code at any depth adds to them, and the log lines at the end read them. Only registered
names and our own words may be added, because text from a caller can hold a secret or personal data.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tallystick.urls import printable_address


@dataclass
class RequestFacts:
    """`scope` is the ASGI scope. `client_id` is set for registered clients only."""

    scope: MutableMapping[str, Any]
    client_id: str | None = None
    auth_method: str | None = None
    registered_auth_method: str | None = None
    refused_address: str | None = None


request_facts: ContextVar[RequestFacts | None] = ContextVar("request_facts", default=None)
"""None outside of a request."""


def note_client(client_id: str) -> None:
    """Add the registered client that the request names. The client need not have authenticated."""
    facts = request_facts.get()
    if facts is not None:
        facts.client_id = client_id


def note_auth_methods(used: str | None, registered: str | None) -> None:
    """Add two `token_endpoint_auth_method` values. Neither may be text from the caller."""
    facts = request_facts.get()
    if facts is not None:
        facts.auth_method, facts.registered_auth_method = used, registered


def note_refused_address(uri: str) -> None:
    """Add the redirect URI that was refused. Only its scheme, host, port and path are kept."""
    facts = request_facts.get()
    if facts is not None:
        facts.refused_address = printable_address(uri)
