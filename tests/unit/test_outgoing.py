"""Requests to addresses that clients gave us: to a real server on loopback, with TLS of the test's own authority."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from auth_service.outgoing import OutgoingFailed, OutgoingRequests, OutgoingResponse
from auth_service.outgoing import requests as module
from auth_service.settings.settings import Outgoing as Settings
from tests.support.certificates import Authority
from tests.support.far_side import far_side
from tests.support.waiting import until

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def outgoing(
    *allow_hosts: str, ca: Authority | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[OutgoingRequests]:
    settings = Settings(allow_hosts=list(allow_hosts), ca_file=str(ca.ca_file) if ca else "")
    made = OutgoingRequests(settings, transport)
    try:
        yield made
    finally:
        await made.aclose()


async def get(made: OutgoingRequests, url: str, *, is_trusted: bool = False, max_bytes: int = 1000) -> OutgoingResponse:
    return await made.get(url, is_trusted=is_trusted, accept="application/json", max_bytes=max_bytes)


async def get_trusted(answer: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]) -> OutgoingResponse:
    async with far_side(answer) as far, outgoing() as made:
        return await get(made, f"http://127.0.0.1:{far.port}/", is_trusted=True)


# TLS, and whose certificate it is


async def test_an_allowed_host_is_reached_by_tls_of_the_authority_in_ca_file(authority: Authority) -> None:
    answer = HEAD + b"Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"
    async with (
        far_side(answer, tls=authority.server_tls("keys.localhost")) as far,
        outgoing("keys.localhost", ca=authority) as made,
    ):
        url = f"https://keys.localhost:{far.port}/jwks?a=1"
        assert await get(made, url) == OutgoingResponse(200, "application/json", b"{}")
        head = far.requests[0]
    assert head.startswith("GET /jwks?a=1 HTTP/1.1\r\n")
    assert f"\r\nHost: keys.localhost:{far.port}\r\n" in head
    assert "\r\nAccept: application/json\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head


async def test_tls_1_3_is_preferred_and_1_2_suffices(authority: Authority) -> None:
    for most, version in ((ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
        spoken: list[str] = []

        async def note(writer: asyncio.StreamWriter, spoken: list[str] = spoken) -> None:
            spoken.append(writer.get_extra_info("ssl_object").version())
            writer.write(HEAD + b"Content-Length: 0\r\n\r\n")

        tls = authority.server_tls("localhost")
        tls.maximum_version = most
        async with far_side(note, tls=tls) as far, outgoing("localhost", ca=authority) as made:
            await get(made, f"https://localhost:{far.port}/")
        assert spoken == [version]


def test_tls_below_1_2_is_not_spoken() -> None:
    assert module.tls_context("").minimum_version == ssl.TLSVersion.TLSv1_2
    assert module.tls_context("").check_hostname


async def test_the_systems_authorities_do_not_vouch_for_a_certificate_of_our_own(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far, outgoing("localhost") as made:
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(made, f"https://localhost:{far.port}/")
        assert far.requests == []


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_certificate_for_another_name_is_refused(authority: Authority, is_trusted: bool) -> None:
    async with (
        far_side(tls=authority.server_tls("other.localhost")) as far,
        outgoing("keys.localhost", ca=authority) as made,
    ):
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(made, f"https://keys.localhost:{far.port}/", is_trusted=is_trusted)
        assert far.requests == []


async def test_a_certificate_for_the_number_is_not_one_for_the_name(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("127.0.0.1")) as far, outgoing("localhost", ca=authority) as made:
        with pytest.raises(OutgoingFailed, match="certificate"):
            await get(made, f"https://localhost:{far.port}/")


async def test_a_number_as_a_host_has_a_certificate_for_it(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("127.0.0.1")) as far, outgoing("127.0.0.1", ca=authority) as made:
        assert (await get(made, f"https://127.0.0.1:{far.port}/")).body == b"ok"


# Where a stranger's address may lead


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "app.localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0.0.0.0"]
)
async def test_a_stranger_does_not_lead_us_to_our_own_machine(authority: Authority, host: str) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far, outgoing(ca=authority) as made:
        with pytest.raises(OutgoingFailed, match=r"not public|no address|looked up"):
            await get(made, f"https://{host}:{far.port}/")
        assert far.connections == 0


async def test_an_exception_may_be_for_one_port(authority: Authority) -> None:
    async with far_side(tls=authority.server_tls("localhost")) as far:
        async with outgoing(f"localhost:{far.port}", ca=authority) as made:
            assert (await get(made, f"https://localhost:{far.port}/")).status == 200
        async with outgoing(f"localhost:{far.port + 1 if far.port < 65535 else 1}", ca=authority) as made:
            with pytest.raises(OutgoingFailed, match="not public"):
                await get(made, f"https://localhost:{far.port}/")


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
async def test_other_addresses_of_strangers_are_refused_before_anybody_is_asked(url: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async with outgoing(transport=httpx.MockTransport(answer)) as made:
        with pytest.raises(OutgoingFailed) as failure:
            await get(made, url)
    assert asked == []
    assert "\n" not in str(failure.value)
    assert "password" not in str(failure.value)


@pytest.mark.parametrize("url", ["https://app.example.org/", "https://app.example.org:443/", "https://a.example:1024/"])
async def test_the_webs_ports_are_443_and_the_high_ones(url: str) -> None:
    async with outgoing(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as made:
        assert (await get(made, url)).status == 200


async def test_an_allowed_host_may_be_http_and_on_any_port() -> None:
    async with outgoing("app.example.org", transport=httpx.MockTransport(lambda _: httpx.Response(200))) as made:
        assert (await get(made, "http://app.example.org:81/")).status == 200
        with pytest.raises(OutgoingFailed, match="https"):
            await get(made, "http://app.example.org.evil.example/")


async def test_a_trusted_address_may_be_private_and_is_http_on_loopback_only() -> None:
    async with far_side() as far, outgoing() as made:
        assert (await get(made, f"http://app.localhost:{far.port}/", is_trusted=True)).body == b"ok"
        with pytest.raises(OutgoingFailed, match="https"):
            await get(made, "http://app.example.org/", is_trusted=True)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with far_side() as inside:
        location = f"Location: http://127.0.0.1:{inside.port}/\r\n".encode()
        answer = await get_trusted(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")
        assert answer.status == 302
        assert inside.connections == 0


async def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await get_trusted(HEAD + b"Content-Length: 2\r\n\r\nok")).body == b"ok"


async def test_a_cookie_is_not_kept() -> None:
    async with far_side(HEAD + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n") as far, outgoing() as made:
        for _ in range(2):
            await get(made, f"http://127.0.0.1:{far.port}/", is_trusted=True)
    assert len(far.requests) == far.connections == 2
    assert all("cookie" not in request.lower() for request in far.requests)


# How much, and how long


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def headers_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def test_a_body_of_the_most_bytes_is_taken_and_one_more_is_not() -> None:
    assert len((await get_trusted(HEAD + b"\r\n" + b"x" * 1000)).body) == 1000
    with pytest.raises(OutgoingFailed, match="more than 1000 bytes"):
        await get_trusted(HEAD + b"\r\n" + b"x" * 1001)


@pytest.mark.parametrize("answer", [endless, headers_for_ever])
async def test_an_answer_without_end_is_left(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
    with pytest.raises(OutgoingFailed):
        await get_trusted(answer)


@pytest.mark.parametrize("answer", [drop_by_drop, never])
async def test_an_answer_that_takes_its_time_is_left(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.2)
    async with asyncio.timeout(3):
        with pytest.raises(OutgoingFailed, match=r"within 0\.2 s"):
            await get_trusted(answer)


async def test_a_name_that_takes_its_time_to_be_looked_up_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def slow(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        time.sleep(0.5)
        raise socket.gaierror

    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with outgoing() as made:
        with pytest.raises(OutgoingFailed, match=r"within 0\.1 s"):
            await get(made, "https://app.example.org/")
    assert asked == ["app.example.org"]


async def test_a_compressed_answer_is_refused_unopened() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)[:900]
    with pytest.raises(OutgoingFailed, match="encoded"):
        await get_trusted(HEAD + b"Content-Encoding: gzip\r\n\r\n" + bomb)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]
)
async def test_what_is_not_a_whole_answer_is_a_failure(answer: bytes) -> None:
    with pytest.raises(OutgoingFailed) as failure:
        await get_trusted(answer)
    assert str(failure.value).isprintable()


async def test_nobody_there_is_a_failure_that_names_the_origin_and_nothing_behind_it() -> None:
    async with far_side() as far:
        pass
    async with outgoing() as made:
        with pytest.raises(OutgoingFailed) as failure:
            await get(made, f"http://127.0.0.1:{far.port}/secret-path?secret=query", is_trusted=True)
    assert str(failure.value).startswith(f"http://127.0.0.1:{far.port}: ")
    assert "secret" not in str(failure.value)


# POST


async def test_a_form_is_posted() -> None:
    async with far_side(b"HTTP/1.1 204 No Content\r\n\r\n") as far, outgoing() as made:
        url = f"http://127.0.0.1:{far.port}/logout"
        assert await made.post(url, {"logout_token": "a.b.c", "odd": "é&="}, is_trusted=True) == OutgoingResponse(
            204, "", b""
        )
    head, _, body = far.requests[0].partition("\r\n\r\n")
    assert head.startswith("POST /logout HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/x-www-form-urlencoded" in head
    assert body == "logout_token=a.b.c&odd=%C3%A9%26%3D"


@pytest.mark.parametrize("headers", [b"", b"Content-Encoding: gzip\r\n"])
async def test_the_answer_to_a_form_is_its_status_however_much_is_behind_it(headers: bytes) -> None:
    async with far_side(HEAD + headers + b"\r\n" + b"x" * 100_000) as far, outgoing() as made:
        answer = await made.post(f"http://127.0.0.1:{far.port}/", {}, is_trusted=True)
    assert (answer.status, answer.body) == (200, b"x" * 4096)


async def test_a_form_goes_to_no_stranger_inside() -> None:
    async with far_side() as far, outgoing() as made:
        with pytest.raises(OutgoingFailed):
            await made.post(f"https://127.0.0.1:{far.port}/", {"logout_token": "a.b.c"}, is_trusted=False)
        assert far.connections == 0


async def test_strangers_who_keep_us_waiting_delay_no_trusted_address(authority: Authority) -> None:
    async with (
        far_side(never, tls=authority.server_tls("localhost")) as slow,
        far_side() as quick,
        outgoing("localhost", ca=authority) as made,
    ):
        waiting = [asyncio.create_task(get(made, f"https://localhost:{slow.port}/")) for _ in range(40)]
        async with asyncio.timeout(4):
            await until(lambda: slow.connections == module.MAX_CONNECTIONS)
            assert (await get(made, f"http://127.0.0.1:{quick.port}/", is_trusted=True)).status == 200
        assert slow.connections == module.MAX_CONNECTIONS
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_no_place_is_lost_when_requests_are_given_up_as_their_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many hang at once, the next one that answers is reached."""
    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.3)
    async with far_side(never) as silent, outgoing() as made:
        url = f"http://127.0.0.1:{silent.port}/"
        asked = (made.get(url, is_trusted=True, accept="*/*", max_bytes=100) for _ in range(100))
        refused = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(failure, OutgoingFailed) for failure in refused)
        assert silent.connections >= 1
        monkeypatch.setattr(module, "REQUEST_TIMEOUT", 10)
        async with far_side() as honest:
            for _ in range(module.MAX_CONNECTIONS + 1):
                answer = await made.get(
                    f"http://127.0.0.1:{honest.port}/", is_trusted=True, accept="*/*", max_bytes=100
                )
                assert answer.status == 200
