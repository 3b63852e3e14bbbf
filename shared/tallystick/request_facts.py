"""Facts about the request being served that its log lines name: which client, how it authenticated, which address.

`RequestId` begins them, code at any depth notes them, and the log lines at the end read them. Only registered names and
words of our own may be noted, because a caller's text can hold a secret or personal data.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

MAX_ADDRESS = 200
"""Characters of a refused address that are logged."""

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


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
    """The request names this registered client. It may not have authenticated: the refusal line tells."""
    facts = request_facts.get()
    if facts is not None:
        facts.client_id = client_id


def note_auth_methods(used: str | None, registered: str | None) -> None:
    """Both are `token_endpoint_auth_method` values; never text of the caller."""
    facts = request_facts.get()
    if facts is not None:
        facts.auth_method, facts.registered_auth_method = used, registered


def note_refused_address(uri: str) -> None:
    """The redirect URI that was refused; only scheme, host, port and path are kept."""
    facts = request_facts.get()
    if facts is not None:
        facts.refused_address = printable_address(uri)


def printable_address(uri: str) -> str:
    """Scheme, host, port and path of `uri`, in printable ASCII, at most MAX_ADDRESS characters.

    User information, query and fragment are dropped, because they may hold a password, a code or personal data.
    """
    try:
        url = urlsplit(uri[: 4 * MAX_ADDRESS])
        host = url.netloc.rpartition("@")[2]
    except ValueError:  # a malformed IPv6 host
        return "(malformed)"
    if not url.scheme or not (host or url.path.startswith("/")):
        return "(not an absolute URI)"
    address = quote(f"{url.scheme}:{'//' if host else ''}{host}{url.path}", safe=_PRINTABLE, errors="replace")
    return address if len(address) <= MAX_ADDRESS else address[:MAX_ADDRESS] + "..."
