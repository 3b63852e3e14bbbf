"""The last good version of a status list stays, for any later response of the issuer."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tallystick import base64url
from tallystick.jwt import STATUS_LIST
from tallystick.remote import cached_status_list as module
from tallystick.remote.cached_status_list import MAX_INLINE_CHARACTERS, CachedStatusList
from tallystick.remote.key_set import RemoteKeySet
from tests.support.token_issuer import ISSUER, STATUS_LIST_URI, PublishedList, TokenIssuer, jwk_set, new_signing_key
from tests.support.waiting import until


@pytest.fixture
def published(issuer: TokenIssuer) -> PublishedList:
    return issuer.publish_list()


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLACEMENT_INTERVAL", 0.01)


@pytest.fixture
def key_set(issuer: TokenIssuer) -> RemoteKeySet:
    return RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport)


@pytest.fixture
async def cached(
    issuer: TokenIssuer, key_set: RemoteKeySet, published: PublishedList
) -> AsyncIterator[CachedStatusList]:
    cached = CachedStatusList(STATUS_LIST_URI, key_set, clock=issuer.clock, transport=issuer.transport)
    key_set.changed = cached.drop_if_key_withdrawn
    await cached.refresh()
    assert cached.held
    yield cached
    await cached.aclose()


def statuses(cached: CachedStatusList, *indices: int) -> list[int]:
    assert cached.held
    return [cached.held.status(idx) for idx in indices]


async def test_newest_version_is_held(cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList) -> None:
    assert statuses(cached, 9, 10) == [0, 0]
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await cached.refresh()
    assert statuses(cached, 9, 10) == [1, 0]


async def test_older_version_is_ignored_and_one_with_the_same_iat_is_accepted(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList
) -> None:
    issuer.clock.advance(seconds=10)
    before = published.token
    published.revoke(9)
    await cached.refresh()
    published.token = before  # an outdated cache, or a replay
    await cached.refresh()
    assert statuses(cached, 9) == [1]
    assert not cached.is_failing
    published.revoke(10)
    await cached.refresh()
    assert statuses(cached, 9, 10) == [1, 1]


async def test_unchanged_list_is_answered_with_304(cached: CachedStatusList, published: PublishedList) -> None:
    held = cached.held
    await cached.refresh()
    assert "If-None-Match" in published.requests[-1].headers
    assert cached.held is held
    assert not cached.is_failing


async def test_304_to_an_unconditional_request_is_a_failure(issuer: TokenIssuer, key_set: RemoteKeySet) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(304))
    cached = CachedStatusList(STATUS_LIST_URI, key_set, clock=issuer.clock, transport=transport)
    await cached.refresh()
    assert cached.is_failing


def broken(lst: bytes) -> Callable[[PublishedList], str]:
    return lambda published: published.signed(status_list={"bits": 1, "lst": base64url.encode(lst)})


@pytest.mark.parametrize(
    ("status", "token"),
    [
        (500, lambda published: published.token),
        (404, lambda published: published.token),
        (204, lambda _: ""),
        (302, lambda published: published.token),
        (200, lambda _: ""),
        (200, lambda _: "<html>"),
        (200, lambda _: "ä" * 100),
        (200, lambda _: '{"status_lists": []}'),
        (200, lambda published: published.signed({"typ": "JWT"})),
        (200, lambda published: published.signed({"kid": "unknown"})),
        (200, lambda published: published.signed(sub="https://id.example.com/status-lists/2")),
        (200, lambda published: published.signed(exp=1)),
        (200, lambda published: published.signed(iat=2**40)),
        (200, lambda _: "x" * (STATUS_LIST.max_bytes + 1)),
        (200, broken(b"garbage")),
        (200, broken(zlib.compress(bytes(32 * 1024 * 1024)))),
    ],
)
async def test_bad_response_keeps_the_held_list_and_logs_one_warning(
    cached: CachedStatusList,
    published: PublishedList,
    issuer: TokenIssuer,
    caplog: pytest.LogCaptureFixture,
    status: int,
    token: Callable[[PublishedList], str],
) -> None:
    held = cached.held
    published.status, published.token = status, token(published)
    with caplog.at_level(logging.INFO, logger="tallystick"):
        for failures in (1, 2, 3):
            await cached.refresh()
            assert cached.failures == failures
        assert cached.held is held
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert published.token not in caplog.text or not published.token
        published.status = 200
        published.revoke(9)
        await cached.refresh()
    assert statuses(cached, 9) == [1]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_endless_response_is_aborted(
    issuer: TokenIssuer, key_set: RemoteKeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIST_TIMEOUT", 0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    cached = CachedStatusList(STATUS_LIST_URI, key_set, clock=issuer.clock, transport=transport)
    await cached.refresh()
    assert cached.is_failing


async def test_redirect_is_not_followed(issuer: TokenIssuer, key_set: RemoteKeySet, published: PublishedList) -> None:
    visited: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        visited.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://evil.example/list"})

    transport = httpx.MockTransport(answer)
    cached = CachedStatusList(STATUS_LIST_URI, key_set, clock=issuer.clock, transport=transport)
    await cached.refresh()
    assert visited == [STATUS_LIST_URI]


async def test_large_list_is_parsed_in_a_thread_with_the_same_result(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList
) -> None:
    noise = b"".join(number.to_bytes(4) for number in range(200_000))
    published.statuses = bytearray(noise)
    published.token = published.signed()
    assert len(published.token) > MAX_INLINE_CHARACTERS
    await cached.refresh()
    assert cached.held
    assert cached.held.statuses == noise


async def test_list_with_an_unknown_kid_fetches_the_keys(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    issuer.rotate()
    published.revoke(9)
    await cached.refresh()
    assert statuses(cached, 9) == [1]
    assert key_set.get(issuer.key.kid)


async def test_list_of_a_withdrawn_key_is_dropped_and_an_older_one_is_accepted(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    issuer.rotate()
    await key_set.refresh()
    assert cached.held is None
    published.token = published.signed(iat=issuer.clock.now - 1000)
    await cached.refresh()
    assert "If-None-Match" not in published.requests[-1].headers
    assert cached.held
    assert cached.held.iat == issuer.clock.now - 1000


async def test_list_stays_when_another_key_is_added(
    cached: CachedStatusList, issuer: TokenIssuer, key_set: RemoteKeySet
) -> None:
    held = cached.held
    issuer.document = jwk_set(issuer.key, new_signing_key())
    await key_set.refresh()
    assert cached.held is held


async def test_304_for_a_list_that_was_dropped_meanwhile_causes_another_request(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    published.gate.clear()
    fetching = cached.start_fetch()
    await until(lambda: len(published.requests) == 2)
    issuer.rotate()
    await key_set.refresh()
    assert cached.held is None
    published.gate.set()  # the response is 304, for a list that was dropped
    await until(lambda: len(published.requests) == 3)  # still signed by the withdrawn key
    assert cached.held is None
    published.token = published.signed()
    await fetching
    assert cached.held


async def test_look_up_waits_for_the_list_that_replaces_one_of_a_withdrawn_key(
    cached: CachedStatusList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    published.revoke(9)
    await cached.refresh()
    issuer.rotate()
    await key_set.refresh()  # before the list
    asked = len(published.requests)
    waiting = asyncio.create_task(cached.look_up(9))
    await until(lambda: len(published.requests) > asked + 1)
    assert not waiting.done()
    published.token = published.signed()
    await waiting
    assert statuses(cached, 9) == [1]


async def test_missing_replacement_for_the_list_of_a_withdrawn_key_is_a_failure(
    cached: CachedStatusList, issuer: TokenIssuer, key_set: RemoteKeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIST_TIMEOUT", 0.05)
    issuer.rotate()
    await key_set.refresh()
    await cached.refresh()
    assert cached.held is None
    assert cached.is_failing
