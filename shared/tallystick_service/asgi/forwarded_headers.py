"""The address of the client behind trusted proxies."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address


class ForwardedHeaders:
    """Set the client's address from the X-Forwarded-For header of `trusted_proxies` (addresses or CIDRs).

    Each proxy appends the address of its caller, so the list is read from the right. The first address that is not a
    trusted proxy is the client. Addresses to its left come from the client and are ignored. No other forwarded header
    is read, because every URL is built from the configuration. Raises ValueError for an entry that is not a network.

    It is stricter than uvicorn's ProxyHeadersMiddleware (ADR 54).
    """

    def __init__(self, app: ASGIApp, *, trusted_proxies: Iterable[str]) -> None:
        self._app = app
        self._networks = [ip_network(proxy) for proxy in trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._networks and scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            client = self._client(host, scope["headers"])
            scope["client"] = (client, port if client == host else 0)
        await self._app(scope, receive, send)

    def _client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        if not self._is_trusted(_parse(peer)):
            return peer
        hops = b",".join(value for name, value in headers if name == b"x-forwarded-for").split(b",")
        client = peer
        for hop in reversed(hops):
            address = _parse(hop.decode("latin-1").strip())
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _parse(text: str) -> Address | None:
    """Parse an address, also with a port, as some proxies write it. An IPv4-mapped IPv6 address becomes IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
