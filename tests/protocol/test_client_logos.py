"""GET /logo: the image at a client's logo_uri, fetched once and served by us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import Connection, update

from auth_service.store.clients import clients
from auth_service.store.schema.tables import clients as clients_table
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.far_side import far_side
from tests.support.images import jpeg, png
from tests.support.token_issuer import ABSENT
from tests.support.waiting import until

pytestmark = pytest.mark.postgresql

LOGO_URI = "https://app.example.org/logo.png"


def app(client_id: str = "app", logo_uri: object = LOGO_URI) -> dict[str, object]:
    declared = {
        "client_id": client_id,
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["https://app.example.org/callback"],
        "logo_uri": logo_uri,
    }
    return {name: value for name, value in declared.items() if value is not ABSENT}


class LogoHost:
    """Answers every request with `content` once `is_open` is set."""

    def __init__(self, content: bytes = png(), status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.content = content
        self.status = status
        self.headers = headers or {}
        self.urls: list[str] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.transport = httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        await self.is_open.wait()
        return httpx.Response(self.status, content=self.content, headers=self.headers)


@asynccontextmanager
async def running(
    url: str, host: LogoHost, *declared: dict[str, object], clock: MovableClock | None = None
) -> AsyncIterator[AuthService]:
    async with running_auth_service(
        url, clock, outgoing_transport=host.transport, client=list(declared) or [app()]
    ) as auth:
        yield auth


async def logo(auth: AuthService, client_id: str = "app") -> httpx.Response:
    return await auth.http().get("/logo", params={"client_id": client_id})


@pytest.mark.parametrize(("content", "media_type"), [(png(), "image/png"), (jpeg(), "image/jpeg")])
async def test_a_logo_is_fetched_once_and_served_by_us(auth_database_url: str, content: bytes, media_type: str) -> None:
    host = LogoHost(content, headers={"Content-Type": "text/html"})
    async with running(auth_database_url, host) as auth:
        for _ in range(2):
            response = await logo(auth)
            assert (response.status_code, response.content) == (200, content)
            assert response.headers["content-type"] == media_type
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert response.headers["cache-control"] == "private, max-age=300"
    async with running(auth_database_url, host) as restarted:
        assert (await logo(restarted)).content == content
    assert host.urls == [LOGO_URI]


async def test_a_logo_is_not_fetched_before_the_first_request_for_it(auth_sqlite_url: str) -> None:
    host = LogoHost()
    async with running(auth_sqlite_url, host) as auth:
        assert (await auth.browser().open("/login")).status_code == 200
        assert host.urls == []


async def test_concurrent_requests_share_one_fetch(auth_sqlite_url: str) -> None:
    host = LogoHost()
    async with running(auth_sqlite_url, host) as auth:
        responses = await asyncio.gather(*(logo(auth) for _ in range(10)))
        assert {response.status_code for response in responses} == {200}
        assert len(host.urls) == 1


@pytest.mark.parametrize(
    ("content", "status", "headers"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 200, {"Content-Type": "image/png"}),
        (b"<html>", 200, {"Content-Type": "image/png"}),
        (b"GIF89a\x01\x00\x01\x00", 200, {"Content-Type": "image/gif"}),
        (b"", 200, {}),
        (png(4000, 4000), 200, {}),
        (png() + b"\0" * 65_536, 200, {}),
        (png(), 404, {}),
        (png(), 206, {}),
        (b"", 302, {"Location": "https://app.example.org/other.png"}),
        (png(), 200, {"Content-Encoding": "br"}),
    ],
    ids=["svg", "html", "gif", "empty", "pixels", "bytes", "404", "206", "redirect", "encoded"],
)
async def test_an_unusable_logo_is_a_404_and_is_not_fetched_again_soon(
    auth_sqlite_url: str, clock: MovableClock, content: bytes, status: int, headers: dict[str, str]
) -> None:
    host = LogoHost(content, status, headers)
    async with running(auth_sqlite_url, host, clock=clock) as auth:
        for _ in range(2):
            response = await logo(auth)
            assert response.status_code == 404
            assert response.headers["cache-control"] == "no-store"
        assert len(host.urls) == 1
        host.content, host.status, host.headers = png(), 200, {}
        clock.advance(seconds=599)
        assert (await logo(auth)).status_code == 404
        clock.advance(seconds=1)
        assert (await logo(auth)).status_code == 200
        assert len(host.urls) == 2


async def test_a_logo_of_the_maximum_size_is_served(auth_sqlite_url: str) -> None:
    content = png() + b"\0" * (65_536 - len(png()))
    async with running(auth_sqlite_url, LogoHost(content)) as auth:
        assert (await logo(auth)).content == content


async def test_a_changed_logo_uri_is_fetched(auth_database_url: str) -> None:
    async with running(auth_database_url, LogoHost(png())) as auth:
        assert (await logo(auth)).content == png()
    host = LogoHost(jpeg())
    async with running(auth_database_url, host, app(logo_uri="https://app.example.org/new.jpg")) as auth:
        assert (await logo(auth)).content == jpeg()
        assert (await logo(auth)).content == jpeg()
    assert host.urls == ["https://app.example.org/new.jpg"]


async def test_the_logo_of_a_disabled_client_is_a_404(auth_database_url: str) -> None:
    async with running(auth_database_url, LogoHost()) as auth:
        assert (await logo(auth)).status_code == 200
        await auth.store.write(clients.disable_client, "app", by="command", now=auth.clock())
        await auth.look_again()
        assert (await logo(auth)).status_code == 404


async def test_a_client_without_a_logo_is_a_404(auth_sqlite_url: str) -> None:
    host = LogoHost()
    async with running(auth_sqlite_url, host, app(logo_uri=ABSENT)) as auth:
        for query in (
            "client_id=app",
            "client_id=unknown",
            "client_id=",
            "",
            "client_id=app&client_id=app",
            "client_id=" + "x" * 5000,
            "client_id=%ff",
        ):
            assert (await auth.http().get(f"/logo?{query}")).status_code == 404
        assert (await auth.http().get("/logo?client_id=%00")).status_code in (400, 404)
    assert host.urls == []


async def test_a_request_beyond_the_maximum_of_concurrent_fetches_is_a_404(auth_sqlite_url: str) -> None:
    host = LogoHost()
    host.is_open.clear()
    names = [f"app-{number}" for number in range(5)]
    async with running(auth_sqlite_url, host, *(app(name) for name in names)) as auth:
        waiting = [asyncio.create_task(logo(auth, name)) for name in names[:4]]
        await until(lambda: len(host.urls) == 4)
        assert (await logo(auth, names[4])).status_code == 404
        host.is_open.set()
        assert {(await task).status_code for task in waiting} == {200}
        assert (await logo(auth, names[4])).status_code == 200


async def test_a_cancelled_request_does_not_cancel_the_shared_fetch(auth_sqlite_url: str) -> None:
    host = LogoHost()
    host.is_open.clear()
    async with running(auth_sqlite_url, host) as auth:
        first, second = (asyncio.create_task(logo(auth)) for _ in range(2))
        await until(lambda: len(host.urls) == 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        host.is_open.set()
        assert (await second).status_code == 200
        assert len(host.urls) == 1


async def test_a_running_fetch_does_not_delay_the_shutdown(auth_sqlite_url: str) -> None:
    host = LogoHost()
    host.is_open.clear()
    async with asyncio.timeout(10):
        async with running(auth_sqlite_url, host) as auth:
            waiting = asyncio.create_task(logo(auth))
            await until(lambda: len(host.urls) == 1)
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize(("is_declared", "status"), [(True, 200), (False, 404)])
async def test_only_a_declared_client_may_have_a_logo_at_a_private_address(
    auth_sqlite_url: str, is_declared: bool, status: int
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(png())}\r\n\r\n".encode()
    async with far_side(head + png()) as inside:
        declared = app(logo_uri=f"http://127.0.0.1:{inside.port}/logo.png")
        async with running_auth_service(auth_sqlite_url, client=[declared]) as auth:  # by the real network
            if not is_declared:
                await auth.store.write(_registered_itself)
            assert (await logo(auth)).status_code == status
            assert inside.connections == is_declared


def _registered_itself(connection: Connection) -> None:
    connection.execute(update(clients_table).values(origin=clients.REGISTRATION))
