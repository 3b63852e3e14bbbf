"""HTTP to the very address that was checked.

A name that is looked up once to be checked and again to connect may have changed in between, by the will of whoever
owns it (DNS rebinding). Here it is looked up once, all its addresses are judged, and the connection goes to one of them
by number; the Host header, SNI and the certificate are still the name's.
"""

import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

import httpx

from auth_service.outgoing.name_lookups import NameLookups, Resolve
from auth_service.outgoing.public_addresses import Address, is_public
from tallystick.urls import is_loopback

_MAX_ADDRESSES = 4


class PinnedTransport(httpx.AsyncBaseTransport):
    """Raises httpx.ConnectError for a host that may not be reached, as for one that cannot be.

    `may_be_private` says of a URL whether it may lead into our own network.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        may_be_private: Callable[[httpx.URL], bool],
        resolve: Resolve | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`resolve` and `inner` stand in for the system's resolver and the network."""
        self._may_be_private = may_be_private
        self._names = NameLookups(resolve or system_addresses)
        # No connection outlives its request: an idle one is known by its number, and may be another name's. The caller
        # bounds how many there are: httpcore's own bound loses a place when a request is given up as its turn comes.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = inner or httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        addresses = await self._addresses(host)
        if not self._may_be_private(request.url) and not all(map(is_public, addresses)):
            raise httpx.ConnectError("the host has an address that is not public")
        reasons = []
        for address in addresses[:_MAX_ADDRESSES]:
            try:
                return await self._inner.handle_async_request(_pinned(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as refused:  # nothing was sent yet
                reasons.append(str(refused) or type(refused).__name__)
        raise httpx.ConnectError("; ".join(dict.fromkeys(reasons)) or "the host has no address")

    async def _addresses(self, host: str) -> list[Address]:
        try:
            return await self._names.of(host)
        except (OSError, ValueError) as unknown:
            raise httpx.ConnectError("the host cannot be looked up") from unknown

    async def aclose(self) -> None:
        await self._inner.aclose()


def system_addresses(host: str) -> list[Address]:
    """As the system's resolver has it; what ends in `.localhost` is asked of nobody (RFC 6761 §6.3)."""
    if is_loopback(host) and host.endswith("localhost"):
        return [ip_address("127.0.0.1"), ip_address("::1")]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


def _pinned(request: httpx.Request, host: str, address: Address) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,  # Host among them
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
