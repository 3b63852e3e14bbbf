"""The connection goes to the very address that was checked. The resolver and the network are the test's."""

import ssl
from ipaddress import ip_address

import httpx
import pytest

from auth_service.outgoing.pinned_transport import PinnedTransport, system_addresses
from auth_service.outgoing.public_addresses import Address

URL = "https://app.example.org:8443/keys?a=1"


class Resolver:
    """Gives one answer after the other, as a name server that rebinds does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        return [ip_address(address) for address in self.answers.pop(0)]


class Far:
    """Takes connections but at the addresses in `closed`."""

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


async def ask(resolver: Resolver, far: Far, url: str = URL, *, private: str | None = None) -> int:
    transport = PinnedTransport(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        may_be_private=lambda url: url.host == private,
        resolve=resolver,
        inner=far.transport,
    )
    try:
        return (await transport.handle_async_request(httpx.Request("POST", url, content=b"form"))).status_code
    finally:
        await transport.aclose()


async def test_the_number_is_called_in_the_name_of_the_host() -> None:
    far = Far()
    assert await ask(Resolver(["93.184.216.34"]), far) == 200
    request = far.requests[0]
    assert str(request.url) == "https://93.184.216.34:8443/keys?a=1"
    assert request.headers["host"] == "app.example.org:8443"
    assert request.extensions["sni_hostname"] == "app.example.org"
    assert request.content == b"form"


async def test_an_ipv6_address_is_called_in_brackets() -> None:
    far = Far()
    assert await ask(Resolver(["2606:4700:4700::1111"]), far) == 200
    assert str(far.requests[0].url) == "https://[2606:4700:4700::1111]:8443/keys?a=1"


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
async def test_one_address_that_is_not_public_is_one_too_many(addresses: list[str]) -> None:
    far = Far()
    with pytest.raises(httpx.ConnectError, match="not public"):
        await ask(Resolver(addresses), far)
    assert far.requests == []


async def test_a_name_is_looked_up_once_so_that_a_second_answer_cannot_differ() -> None:
    far, resolver = Far("93.184.216.34"), Resolver(["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(httpx.ConnectError):
        await ask(resolver, far)
    assert resolver.asked == ["app.example.org"]
    assert far.hosts == ["93.184.216.34"]


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    far = Far("2606:4700:4700::1111")
    assert await ask(Resolver(["2606:4700:4700::1111", "93.184.216.34"]), far) == 200
    assert far.hosts == ["2606:4700:4700::1111", "93.184.216.34"]


async def test_a_name_with_a_thousand_addresses_is_tried_at_four() -> None:
    addresses = [f"93.184.216.{number}" for number in range(1, 255)]
    far = Far(*addresses)
    with pytest.raises(httpx.ConnectError):
        await ask(Resolver(addresses), far)
    assert far.hosts == addresses[:4]


async def test_a_name_without_an_address_cannot_be_reached() -> None:
    with pytest.raises(httpx.ConnectError):
        await ask(Resolver([]), Far())


async def test_an_exception_is_for_its_own_host_only() -> None:
    assert await ask(Resolver(["10.0.0.1"]), Far(), private="app.example.org") == 200
    with pytest.raises(httpx.ConnectError, match="not public"):
        await ask(Resolver(["10.0.0.1"]), Far(), private="other.example.org")


@pytest.mark.parametrize("number", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "::1"])
def test_a_number_however_written_is_looked_up_to_be_judged(number: str) -> None:
    assert [address.is_loopback for address in system_addresses(number)] == [True]


@pytest.mark.parametrize("host", ["localhost", "app-one.localhost"])
def test_localhost_is_this_machine_without_asking_anybody(host: str) -> None:
    assert system_addresses(host) == [ip_address("127.0.0.1"), ip_address("::1")]
