"""Outgoing requests: the limits on responses and connections, and forms that are posted."""

import asyncio
import gzip
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from auth_service.outgoing import OutgoingFailed, OutgoingResponse
from auth_service.outgoing import requests as module
from tests.support.certificates import Authority
from tests.support.far_side import far_side
from tests.support.outgoing import HEAD, get, get_trusted, outgoing
from tests.support.waiting import until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def slow_body(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def test_body_over_the_limit_is_refused() -> None:
    assert len((await get_trusted(HEAD + b"\r\n" + b"x" * 1000)).body) == 1000
    with pytest.raises(OutgoingFailed, match="more than 1000 bytes"):
        await get_trusted(HEAD + b"\r\n" + b"x" * 1001)


@pytest.mark.parametrize("answer", [endless_body, endless_headers])
async def test_endless_response_is_refused(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
    with pytest.raises(OutgoingFailed):
        await get_trusted(answer)


@pytest.mark.parametrize("answer", [slow_body, never])
async def test_slow_response_times_out(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.2)
    async with asyncio.timeout(3):
        with pytest.raises(OutgoingFailed, match=r"within 0\.2 s"):
            await get_trusted(answer)


async def test_slow_name_lookup_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def slow(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        time.sleep(0.5)
        raise socket.gaierror

    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with outgoing() as client:
        with pytest.raises(OutgoingFailed, match=r"within 0\.1 s"):
            await get(client, "https://app.example.org/")
    assert asked == ["app.example.org"]


async def test_compressed_response_is_refused() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)[:900]
    with pytest.raises(OutgoingFailed, match="encoded"):
        await get_trusted(HEAD + b"Content-Encoding: gzip\r\n\r\n" + bomb)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]
)
async def test_incomplete_response_is_a_failure(answer: bytes) -> None:
    with pytest.raises(OutgoingFailed) as failure:
        await get_trusted(answer)
    assert str(failure.value).isprintable()


async def test_failure_names_the_origin_and_not_the_path() -> None:
    async with far_side() as far:
        pass
    async with outgoing() as client:
        with pytest.raises(OutgoingFailed) as failure:
            await get(client, f"http://127.0.0.1:{far.port}/secret-path?secret=query", is_trusted=True)
    assert str(failure.value).startswith(f"http://127.0.0.1:{far.port}: ")
    assert "secret" not in str(failure.value)


# POST


async def test_form_is_posted() -> None:
    async with far_side(b"HTTP/1.1 204 No Content\r\n\r\n") as far, outgoing() as client:
        url = f"http://127.0.0.1:{far.port}/logout"
        assert await client.post(url, {"logout_token": "a.b.c", "odd": "é&="}, is_trusted=True) == OutgoingResponse(
            204, "", b""
        )
    head, _, body = far.requests[0].partition("\r\n\r\n")
    assert head.startswith("POST /logout HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/x-www-form-urlencoded" in head
    assert body == "logout_token=a.b.c&odd=%C3%A9%26%3D"


@pytest.mark.parametrize("headers", [b"", b"Content-Encoding: gzip\r\n"])
async def test_response_to_a_form_is_cut_off(headers: bytes) -> None:
    async with far_side(HEAD + headers + b"\r\n" + b"x" * 100_000) as far, outgoing() as client:
        answer = await client.post(f"http://127.0.0.1:{far.port}/", {}, is_trusted=True)
    assert (answer.status, answer.body) == (200, b"x" * 4096)


async def test_form_is_not_posted_to_a_private_address() -> None:
    async with far_side() as far, outgoing() as client:
        with pytest.raises(OutgoingFailed):
            await client.post(f"https://127.0.0.1:{far.port}/", {"logout_token": "a.b.c"}, is_trusted=False)
        assert far.connections == 0


async def test_slow_untrusted_hosts_do_not_delay_trusted_ones(authority: Authority) -> None:
    async with (
        far_side(never, tls=authority.server_tls("localhost")) as slow,
        far_side() as quick,
        outgoing("localhost", ca=authority) as client,
    ):
        waiting = [asyncio.create_task(get(client, f"https://localhost:{slow.port}/")) for _ in range(40)]
        async with asyncio.timeout(4):
            await until(lambda: slow.connections == module.MAX_CONNECTIONS)
            assert (await get(client, f"http://127.0.0.1:{quick.port}/", is_trusted=True)).status == 200
        assert slow.connections == module.MAX_CONNECTIONS
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_cancelled_requests_do_not_lose_their_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """After many requests that hang, the next host that answers is still reached."""
    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.3)
    async with far_side(never) as silent, outgoing() as client:
        url = f"http://127.0.0.1:{silent.port}/"
        asked = (client.get(url, is_trusted=True, accept="*/*", max_bytes=100) for _ in range(100))
        refused = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(failure, OutgoingFailed) for failure in refused)
        assert silent.connections >= 1
        monkeypatch.setattr(module, "REQUEST_TIMEOUT", 10)
        async with far_side() as honest:
            for _ in range(module.MAX_CONNECTIONS + 1):
                answer = await client.get(
                    f"http://127.0.0.1:{honest.port}/", is_trusted=True, accept="*/*", max_bytes=100
                )
                assert answer.status == 200
