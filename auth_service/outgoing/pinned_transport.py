"""HTTP to exactly the address that was checked.

A host name that is looked up once for the check and again for the connection can change in between (DNS rebinding).
This transport looks the name up once, checks all its addresses, and connects to one of them by number. The Host header,
SNI and the certificate check still use the name.
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
"""Addresses of one host that are tried."""


class PinnedTransport(httpx.AsyncBaseTransport):
    """Raises httpx.ConnectError for a host that is not allowed, and for one that cannot be reached.

    `may_be_private` tells whether a URL may lead to an address that is not public.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        may_be_private: Callable[[httpx.URL], bool],
        resolve: Resolve | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`resolve` and `inner` replace the system's resolver and the network."""
        self._may_be_private = may_be_private
        self._names = NameLookups(resolve or system_addresses)
        # No connection is reused: the pool knows a connection by its address, which may belong to another name, too.
        # The caller bounds the connections: httpcore's own bound loses a slot when a waiting request is cancelled as it
        # gets one.
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
                return await self._inner.handle_async_request(_pin(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as failure:  # nothing has been sent yet
                reasons.append(str(failure) or type(failure).__name__)
        raise httpx.ConnectError("; ".join(dict.fromkeys(reasons)) or "the host has no address")

    async def _addresses(self, host: str) -> list[Address]:
        try:
            return await self._names.resolve(host)
        except (OSError, ValueError) as failure:
            raise httpx.ConnectError("the host cannot be looked up") from failure

    async def aclose(self) -> None:
        await self._inner.aclose()


def system_addresses(host: str) -> list[Address]:
    """The addresses from the system's resolver. Names below `.localhost` are not looked up (RFC 6761 §6.3)."""
    if is_loopback(host) and host.endswith("localhost"):
        return [ip_address("127.0.0.1"), ip_address("::1")]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


def _pin(request: httpx.Request, host: str, address: Address) -> httpx.Request:
    """The same request to `address`, with the Host header and the SNI of `host`."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
