"""The status lists that are fetched. No list waits for another."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.metadata import MAX_STATUS_LISTS
from tallystick.remote.status_lists import DISCOVERY_INTERVAL, FORGET_AFTER_SECONDS
from tallystick.status_list import StatusReference
from tests.support.token_issuer import AGGREGATION, ISSUER, STATUS_LIST_URI, TokenIssuer
from tests.support.waiting import until


@pytest.fixture
async def remote(issuer: TokenIssuer) -> AsyncIterator[RemoteIssuer]:
    """With a configured jwks_uri; the metadata is still read for the lists."""
    remote = RemoteIssuer(
        ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport, follow_every=3600
    )
    yield remote
    await remote.aclose()


def held(remote: RemoteIssuer) -> set[str]:
    return {cached.uri for cached in remote.status_lists if cached.held}


async def test_lists_are_fetched_before_the_first_token(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    for uri in (STATUS_LIST_URI, "https://cdn.example.net/list"):
        issuer.publish_list(uri)
    remote.start()
    await until(lambda: held(remote) == set(issuer.lists))


async def test_new_lists_are_found_at_the_discovery_interval(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    issuer.publish_list()
    await remote.status_lists.names.refresh()
    issuer.publish_list(f"{ISSUER}/status-lists/2")
    reads = issuer.paths.count(AGGREGATION)
    remote.status_lists.start_round()
    assert not remote.status_lists.names.is_fetching
    issuer.clock.advance(seconds=DISCOVERY_INTERVAL)
    remote.status_lists.start_round()
    await until(lambda: held(remote) == set(issuer.lists))
    assert issuer.paths.count(AGGREGATION) == reads + 1


async def test_issuer_without_lists_is_not_a_failure(
    remote: RemoteIssuer, issuer: TokenIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    await remote.status_lists.names.refresh()
    assert list(remote.status_lists) == []
    assert remote.status_lists.names.fetched_at is not None
    assert not caplog.records


async def test_issuer_without_metadata_is_not_a_failure(issuer: TokenIssuer, caplog: pytest.LogCaptureFixture) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404))
    remote = RemoteIssuer(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=transport)
    await remote.status_lists.names.refresh()
    assert remote.status_lists.names.fetched_at is not None
    assert not caplog.records


@pytest.mark.parametrize(
    "endpoint",
    [5, "", "http://id.example.com/status-lists", "file:///etc/passwd", f"{ISSUER}/keys", f"{ISSUER}/missing-list"],
)
async def test_malformed_aggregation_is_a_failure_without_lists(
    remote: RemoteIssuer, issuer: TokenIssuer, endpoint: object, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.metadata["status_list_aggregation_endpoint"] = endpoint
    for _ in range(3):
        await remote.status_lists.names.refresh()
    assert list(remote.status_lists) == []
    assert remote.status_lists.names.failures == 3
    assert len(caplog.records) == 1


async def test_aggregation_with_too_many_lists_is_refused(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    for number in range(MAX_STATUS_LISTS + 1):
        issuer.publish_list(f"{ISSUER}/status-lists/{number}")
    await remote.status_lists.names.refresh()
    assert list(remote.status_lists) == []


async def test_hanging_list_delays_neither_the_keys_nor_another_list(
    issuer: TokenIssuer,
) -> None:
    remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=0.01)
    slow, quick = issuer.publish_list(), issuer.publish_list(f"{ISSUER}/status-lists/2")
    slow.gate.clear()
    remote.start()
    await until(lambda: len(slow.requests) == 1 and held(remote) == {quick.uri})
    issuer.clock.advance(seconds=1)
    quick.revoke(9)
    issuer.document = issuer.document.replace(b"}]", b"}, {}]")
    fetches = issuer.fetches
    await until(lambda: issuer.fetches > fetches + 3)
    await until(lambda: all(cached.held.status(9) for cached in remote.status_lists if cached.held))
    assert len(slow.requests) == 1
    await remote.aclose()


async def test_hanging_key_set_delays_no_list(issuer: TokenIssuer) -> None:
    gate = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if issuer.fetches and request.url.path == "/keys":
            await gate.wait()
        return await issuer.transport.handle_async_request(request)

    transport = httpx.MockTransport(answer)
    remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=transport, follow_every=0.01)
    published = issuer.publish_list()
    remote.start()
    await until(lambda: bool(held(remote)))
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await until(lambda: all(cached.held and cached.held.status(9) for cached in remote.status_lists))
    gate.set()
    await remote.aclose()


async def test_withdrawn_key_causes_an_immediate_fetch_of_its_lists(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    await remote.key_set.refresh()
    await remote.status_lists.names.refresh()
    await until(lambda: bool(held(remote)))
    issuer.rotate()
    published.revoke(9)
    await remote.key_set.refresh()
    await until(lambda: bool(held(remote)))
    assert [cached.held.status(9) for cached in remote.status_lists if cached.held] == [1]


async def test_missing_list_is_dropped_when_no_token_names_it(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(announced=False)
    await remote.key_set.refresh()
    await remote.status_lists.look_up(StatusReference(idx=1, uri=STATUS_LIST_URI))
    (cached,) = remote.status_lists
    assert cached.held
    published.status = 404
    await cached.refresh()
    issuer.clock.advance(seconds=FORGET_AFTER_SECONDS)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == [cached]
    issuer.clock.advance(seconds=1)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == []
    assert STATUS_LIST_URI not in remote.statuses.lists
    assert remote.status_lists.failures == 1


async def test_list_of_an_unreachable_issuer_is_never_dropped(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    issuer.publish_list(announced=False)
    await remote.key_set.refresh()
    await remote.status_lists.look_up(StatusReference(idx=1, uri=STATUS_LIST_URI))
    (cached,) = remote.status_lists
    assert cached.held
    issuer.is_away = True
    await cached.refresh()
    issuer.clock.advance(seconds=10 * FORGET_AFTER_SECONDS)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == [cached]
    assert cached.held
