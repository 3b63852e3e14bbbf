"""Which lists are followed, and that none of them waits for another."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.issuer_metadata import MAX_STATUS_LISTS
from tallystick.remote.status_lists import DISCOVER_EVERY, FORGET_AFTER
from tests.support.token_issuer import AGGREGATION, ISSUER, STATUS_LIST_URI, TokenIssuer
from tests.support.waiting import until


@pytest.fixture
async def remote(issuer: TokenIssuer) -> AsyncIterator[RemoteIssuer]:
    """By the keys' own address, as in most configurations; the metadata is read for the lists all the same."""
    remote = RemoteIssuer(
        ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport, follow_every=3600
    )
    yield remote
    await remote.aclose()


def held(remote: RemoteIssuer) -> set[str]:
    return {followed.uri for followed in remote.status_lists if followed.held}


async def test_the_lists_are_there_before_the_first_token(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    for uri in (STATUS_LIST_URI, "https://cdn.example.net/list"):
        issuer.publish_list(uri)
    remote.keep_fresh()
    await until(lambda: held(remote) == set(issuer.lists))


async def test_new_lists_are_found_and_the_metadata_is_not_asked_each_time(
    remote: RemoteIssuer, issuer: TokenIssuer
) -> None:
    issuer.publish_list()
    await remote.status_lists.discovering.join()
    issuer.publish_list(f"{ISSUER}/status-lists/2")
    asked = issuer.paths.count(AGGREGATION)
    remote.status_lists.start_round()
    assert not remote.status_lists.discovering.is_running
    issuer.clock.advance(seconds=DISCOVER_EVERY)
    remote.status_lists.start_round()
    await until(lambda: held(remote) == set(issuer.lists))
    assert issuer.paths.count(AGGREGATION) == asked + 1


async def test_an_issuer_without_lists_is_no_fault(
    remote: RemoteIssuer, issuer: TokenIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    await remote.status_lists.discovering.join()
    assert list(remote.status_lists) == []
    assert remote.status_lists.discovering.succeeded_at is not None
    assert not caplog.records


async def test_an_issuer_without_metadata_is_no_fault(issuer: TokenIssuer, caplog: pytest.LogCaptureFixture) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404))
    remote = RemoteIssuer(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=transport)
    await remote.status_lists.discovering.join()
    assert remote.status_lists.discovering.succeeded_at is not None
    assert not caplog.records


@pytest.mark.parametrize(
    "endpoint",
    [5, "", "http://id.example.com/status-lists", "file:///etc/passwd", f"{ISSUER}/keys", f"{ISSUER}/missing-list"],
)
async def test_an_aggregation_that_makes_no_sense_names_nothing(
    remote: RemoteIssuer, issuer: TokenIssuer, endpoint: object, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.metadata["status_list_aggregation_endpoint"] = endpoint
    for _ in range(3):
        await remote.status_lists.discovering.join()
    assert list(remote.status_lists) == []
    assert remote.status_lists.discovering.failures == 3
    assert len(caplog.records) == 1


async def test_an_aggregation_without_end_names_nothing(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    for number in range(MAX_STATUS_LISTS + 1):
        issuer.publish_list(f"{ISSUER}/status-lists/{number}")
    await remote.status_lists.discovering.join()
    assert list(remote.status_lists) == []


async def test_a_list_that_hangs_delays_neither_the_keys_nor_another_list(
    issuer: TokenIssuer,
) -> None:
    remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=0.01)
    slow, quick = issuer.publish_list(), issuer.publish_list(f"{ISSUER}/status-lists/2")
    slow.gate.clear()
    remote.keep_fresh()
    await until(lambda: len(slow.requests) == 1 and held(remote) == {quick.uri})
    issuer.clock.advance(seconds=1)
    quick.revoke(9)
    issuer.document = issuer.document.replace(b"}]", b"}, {}]")
    fetches = issuer.fetches
    await until(lambda: issuer.fetches > fetches + 3)
    await until(lambda: all(followed.held.status(9) for followed in remote.status_lists if followed.held))
    assert len(slow.requests) == 1
    await remote.aclose()


async def test_keys_that_hang_delay_no_list(issuer: TokenIssuer) -> None:
    gate = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if issuer.fetches and request.url.path == "/keys":
            await gate.wait()
        return await issuer.transport.handle_async_request(request)

    transport = httpx.MockTransport(answer)
    remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=transport, follow_every=0.01)
    published = issuer.publish_list()
    remote.keep_fresh()
    await until(lambda: bool(held(remote)))
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await until(lambda: all(followed.held and followed.held.status(9) for followed in remote.status_lists))
    gate.set()
    await remote.aclose()


async def test_a_withdrawn_key_has_its_lists_fetched_anew_at_once(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    await remote.key_set.refresh()
    await remote.status_lists.discovering.join()
    await until(lambda: bool(held(remote)))
    issuer.rotate()
    published.revoke(9)
    await remote.key_set.refresh()
    await until(lambda: bool(held(remote)))
    assert [followed.held.status(9) for followed in remote.status_lists if followed.held] == [1]


async def test_a_list_that_is_gone_is_forgotten_when_no_token_names_it(
    remote: RemoteIssuer, issuer: TokenIssuer
) -> None:
    published = issuer.publish_list(announced=False)
    await remote.key_set.refresh()
    followed = await remote.status_lists.find(STATUS_LIST_URI)
    assert followed
    await followed.fetching.join()
    published.status = 404
    await followed.fetching.join()
    issuer.clock.advance(seconds=FORGET_AFTER)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == [followed]
    issuer.clock.advance(seconds=1)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == []
    assert followed.held is None
    assert remote.status_lists.failures == 1


async def test_a_list_that_is_only_away_is_never_forgotten(remote: RemoteIssuer, issuer: TokenIssuer) -> None:
    issuer.publish_list(announced=False)
    await remote.key_set.refresh()
    followed = await remote.status_lists.find(STATUS_LIST_URI)
    assert followed
    await followed.fetching.join()
    issuer.is_away = True
    await followed.fetching.join()
    issuer.clock.advance(seconds=10 * FORGET_AFTER)
    remote.status_lists.start_round()
    assert list(remote.status_lists) == [followed]
    assert followed.held
