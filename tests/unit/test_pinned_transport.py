"""The connection goes to the address that was checked. The resolver and the network are the test's own."""

import ssl
from ipaddress import ip_address

import httpx
import pytest

from auth_service.outgoing.pinned_transport import PinnedTransport, system_addresses
from auth_service.outgoing.public_addresses import Address

URL = "https://app.example.org:8443/keys?a=1"


class Resolver:
    """Returns one answer after the other, as a name server does that rebinds a name."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        return [ip_address(address) for address in self.answers.pop(0)]


class Network:
    """Accepts connections, except at the addresses in `closed`."""

    def __init__(self, *closed: str) -> None:
        self.closed = closed
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    @property
    def hosts(self) -> list[str]:
        return [request.url.host for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.host in self.closed:
            raise httpx.ConnectError("closed")
        return httpx.Response(200)


async def ask(resolver: Resolver, network: Network, url: str = URL, *, private: str | None = None) -> int:
    transport = PinnedTransport(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        may_be_private=lambda url: url.host == private,
        resolve=resolver,
        inner=network.transport,
    )
    try:
        return (await transport.handle_async_request(httpx.Request("POST", url, content=b"form"))).status_code
    finally:
        await transport.aclose()


async def test_request_goes_to_the_address_with_the_name_of_the_host() -> None:
    network = Network()
    assert await ask(Resolver(["93.184.216.34"]), network) == 200
    request = network.requests[0]
    assert str(request.url) == "https://93.184.216.34:8443/keys?a=1"
    assert request.headers["host"] == "app.example.org:8443"
    assert request.extensions["sni_hostname"] == "app.example.org"
    assert request.content == b"form"


async def test_ipv6_address_is_written_in_brackets() -> None:
    network = Network()
    assert await ask(Resolver(["2606:4700:4700::1111"]), network) == 200
    assert str(network.requests[0].url) == "https://[2606:4700:4700::1111]:8443/keys?a=1"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1", "93.184.216.34"],
        ["93.184.216.34", "10.0.0.1"],
        ["93.184.216.34", "::ffff:127.0.0.1"],
        ["2606:4700:4700::1111", "fd00::1"],
    ],
)
async def test_host_with_any_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    network = Network()
    with pytest.raises(httpx.ConnectError, match="not public"):
        await ask(Resolver(addresses), network)
    assert network.requests == []


async def test_host_is_looked_up_once() -> None:
    network, resolver = Network("93.184.216.34"), Resolver(["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(httpx.ConnectError):
        await ask(resolver, network)
    assert resolver.asked == ["app.example.org"]
    assert network.hosts == ["93.184.216.34"]


async def test_next_address_is_tried_after_a_refused_connection() -> None:
    network = Network("2606:4700:4700::1111")
    assert await ask(Resolver(["2606:4700:4700::1111", "93.184.216.34"]), network) == 200
    assert network.hosts == ["2606:4700:4700::1111", "93.184.216.34"]


async def test_at_most_four_addresses_are_tried() -> None:
    addresses = [f"93.184.216.{number}" for number in range(1, 255)]
    network = Network(*addresses)
    with pytest.raises(httpx.ConnectError):
        await ask(Resolver(addresses), network)
    assert network.hosts == addresses[:4]


async def test_host_without_an_address_cannot_be_reached() -> None:
    with pytest.raises(httpx.ConnectError):
        await ask(Resolver([]), Network())


async def test_private_addresses_are_allowed_for_the_named_host_only() -> None:
    assert await ask(Resolver(["10.0.0.1"]), Network(), private="app.example.org") == 200
    with pytest.raises(httpx.ConnectError, match="not public"):
        await ask(Resolver(["10.0.0.1"]), Network(), private="other.example.org")


@pytest.mark.parametrize("number", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "::1"])
def test_every_spelling_of_a_loopback_address_is_recognized(number: str) -> None:
    assert [address.is_loopback for address in system_addresses(number)] == [True]


@pytest.mark.parametrize("host", ["localhost", "app-one.localhost"])
def test_localhost_names_are_not_looked_up(host: str) -> None:
    assert system_addresses(host) == [ip_address("127.0.0.1"), ip_address("::1")]
