"""Outgoing requests: TLS, certificates, and the URLs that are allowed."""

import asyncio
import ssl

import httpx
import pytest

from auth_service.outgoing import OutgoingFailed, OutgoingResponse
from auth_service.outgoing import requests as module
from tests.support.certificates import Authority
from tests.support.far_side import far_side
from tests.support.outgoing import HEAD, get, get_trusted, outgoing


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


# TLS and certificates


async def test_allowed_host_is_reached_with_a_certificate_of_the_ca_file(authority: Authority) -> None:
    answer = HEAD + b"Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"
    async with (
        far_side(answer, tls=authority.server_tls("keys.localhost")) as far,
        outgoing("keys.localhost", ca=authority) as client,
    ):
        url = f"https://keys.localhost:{far.port}/jwks?a=1"
        assert await get(client, url) == OutgoingResponse(200, "application/json", b"{}")
        head = far.requests[0]
    assert head.startswith("GET /jwks?a=1 HTTP/1.1\r\n")
    assert f"\r\nHost: keys.localhost:{far.port}\r\n" in head
    assert "\r\nAccept: application/json\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head


async def test_tls_1_3_is_preferred_and_1_2_accepted(authority: Authority) -> None:
    for most, version in ((ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
        spoken: list[str] = []

        async def note(writer: asyncio.StreamWriter, spoken: list[str] = spoken) -> None:
            spoken.append(writer.get_extra_info("ssl_object").version())
            writer.write(HEAD + b"Content-Length: 0\r\n\r\n")

        tls = authority.server_tls("localhost")
        tls.maximum_version = most
        async with far_side(note, tls=tls) as far, outgoing("localhost", ca=authority) as client:
            await get(client, f"https://localhost:{far.port}/")
        assert spoken == [version]


def test_tls_below_1_2_is_refused() -> None:
    assert module.tls_context("").minimum_version == ssl.TLSVersion.TLSv1_2
    assert module.tls_context("").check_hostname


async def test_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far, outgoing("localhost") as client:
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(client, f"https://localhost:{far.port}/")
        assert far.requests == []


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_certificate_for_another_name_is_refused(authority: Authority, is_trusted: bool) -> None:
    async with (
        far_side(tls=authority.server_tls("other.localhost")) as far,
        outgoing("keys.localhost", ca=authority) as client,
    ):
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(client, f"https://keys.localhost:{far.port}/", is_trusted=is_trusted)
        assert far.requests == []


async def test_certificate_for_the_ip_address_is_refused_for_the_name(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("127.0.0.1")) as far, outgoing("localhost", ca=authority) as client:
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(client, f"https://localhost:{far.port}/")


async def test_ip_address_as_host_needs_a_certificate_for_it(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("127.0.0.1")) as far, outgoing("127.0.0.1", ca=authority) as client:
        assert (await get(client, f"https://127.0.0.1:{far.port}/")).body == b"ok"


# URLs, trusted and untrusted


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "app.localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0.0.0.0"]
)
async def test_untrusted_url_must_not_lead_to_this_machine(authority: Authority, host: str) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far, outgoing(ca=authority) as client:
        with pytest.raises(OutgoingFailed, match=r"not public|no address|looked up"):
            await get(client, f"https://{host}:{far.port}/")
        assert far.connections == 0


async def test_allowed_host_may_name_one_port(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far:
        async with outgoing(f"localhost:{far.port}", ca=authority) as client:
            assert (await get(client, f"https://localhost:{far.port}/")).status == 200
        async with outgoing(f"localhost:{far.port + 1 if far.port < 65535 else 1}", ca=authority) as client:
            with pytest.raises(OutgoingFailed, match="not public"):
                await get(client, f"https://localhost:{far.port}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.org/",
        "http://127.0.0.1:8000/",
        "https://user@app.example.org/",
        "https://user:password@app.example.org/",
        "https://app.example.org:22/",
        "https://app.example.org:80/",
        "https://app.example.org:1023/",
        "https://app.example.org:0/",
        "https://app.example.org:65536/",
        "https://app.example.org:x/",
        "https:///path",
        "https://",
        "//app.example.org/",
        "file:///etc/passwd",
        "ftp://app.example.org/",
        "gopher://app.example.org/",
        "app.example.org",
        "",
        "https://[::1",
        "https://app.example.org\\@127.0.0.1/",
        "https://app.example.org\n/",
        "https://a\u0000b.example.org/",
        f"https://{'a' * 64}.example.org:443/\ud800",
    ],
)
async def test_malformed_or_forbidden_untrusted_url_is_refused_before_any_request(url: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async with outgoing(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(OutgoingFailed) as failure:
            await get(client, url)
    assert asked == []
    assert "\n" not in str(failure.value)
    assert "password" not in str(failure.value)


@pytest.mark.parametrize("url", ["https://app.example.org/", "https://app.example.org:443/", "https://a.example:1024/"])
async def test_untrusted_url_may_have_port_443_or_a_high_port(url: str) -> None:
    async with outgoing(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        assert (await get(client, url)).status == 200


async def test_allowed_host_may_have_http_and_any_port() -> None:
    async with outgoing("app.example.org", transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        assert (await get(client, "http://app.example.org:81/")).status == 200
        with pytest.raises(OutgoingFailed, match="https"):
            await get(client, "http://app.example.org.evil.example/")


async def test_trusted_url_may_be_private_and_http_on_loopback_only() -> None:
    async with far_side() as far, outgoing() as client:
        assert (await get(client, f"http://app.localhost:{far.port}/", is_trusted=True)).body == b"ok"
        with pytest.raises(OutgoingFailed, match="https"):
            await get(client, "http://app.example.org/", is_trusted=True)


async def test_redirect_is_returned_and_not_followed() -> None:
    async with far_side() as inside:
        location = f"Location: http://127.0.0.1:{inside.port}/\r\n".encode()
        answer = await get_trusted(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")
        assert answer.status == 302
        assert inside.connections == 0


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await get_trusted(HEAD + b"Content-Length: 2\r\n\r\nok")).body == b"ok"


async def test_cookies_are_not_stored() -> None:
    async with far_side(HEAD + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n") as far, outgoing() as client:
        for _ in range(2):
            await get(client, f"http://127.0.0.1:{far.port}/", is_trusted=True)
    assert len(far.requests) == far.connections == 2
    assert all("cookie" not in request.lower() for request in far.requests)
