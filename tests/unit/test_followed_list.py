"""The last good version of a list stays, whatever its issuer answers next."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tallystick import base64url
from tallystick.jwt import STATUS_LIST
from tallystick.remote import followed_list as module
from tallystick.remote.followed_list import SMALL, FollowedList
from tallystick.remote.key_set import RemoteKeySet
from tests.support.token_issuer import ISSUER, STATUS_LIST_URI, PublishedList, TokenIssuer, jwk_set, new_signing_key
from tests.support.waiting import until


@pytest.fixture
def published(issuer: TokenIssuer) -> PublishedList:
    return issuer.publish_list()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLACED_WITHIN", 0.01)


@pytest.fixture
def key_set(issuer: TokenIssuer) -> RemoteKeySet:
    return RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport)


@pytest.fixture
async def followed(issuer: TokenIssuer, key_set: RemoteKeySet, published: PublishedList) -> AsyncIterator[FollowedList]:
    followed = FollowedList(STATUS_LIST_URI, key_set, lambda *_: None, clock=issuer.clock, transport=issuer.transport)
    key_set.watch(followed.obey)
    await followed.fetching.join()
    assert followed.held
    yield followed
    await followed.fetching.aclose()


def statuses(followed: FollowedList, *indices: int) -> list[int]:
    assert followed.held
    return [followed.held.status(idx) for idx in indices]


async def test_the_newest_version_is_held(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList
) -> None:
    assert statuses(followed, 9, 10) == [0, 0]
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await followed.fetching.join()
    assert statuses(followed, 9, 10) == [1, 0]


async def test_an_older_version_is_not_taken_and_an_equally_old_one_is(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList
) -> None:
    issuer.clock.advance(seconds=10)
    before = published.token
    published.revoke(9)
    await followed.fetching.join()
    published.token = before  # a cache that lags behind, or somebody who replays
    await followed.fetching.join()
    assert statuses(followed, 9) == [1]
    assert not followed.fetching.is_failing
    published.revoke(10)
    await followed.fetching.join()
    assert statuses(followed, 9, 10) == [1, 1]


async def test_what_has_not_changed_is_not_sent_again(followed: FollowedList, published: PublishedList) -> None:
    held = followed.held
    await followed.fetching.join()
    assert "If-None-Match" in published.requests[-1].headers
    assert followed.held is held
    assert not followed.fetching.is_failing


async def test_a_304_that_nobody_asked_for_is_no_answer(issuer: TokenIssuer, key_set: RemoteKeySet) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(304))
    followed = FollowedList(STATUS_LIST_URI, key_set, lambda *_: None, clock=issuer.clock, transport=transport)
    await followed.fetching.join()
    assert followed.fetching.is_failing


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
async def test_nonsense_changes_nothing_and_is_said_once(
    followed: FollowedList,
    published: PublishedList,
    issuer: TokenIssuer,
    caplog: pytest.LogCaptureFixture,
    status: int,
    token: Callable[[PublishedList], str],
) -> None:
    held = followed.held
    published.status, published.token = status, token(published)
    with caplog.at_level(logging.INFO, logger="tallystick"):
        for failures in (1, 2, 3):
            await followed.fetching.join()
            assert followed.fetching.failures == failures
        assert followed.held is held
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert published.token not in caplog.text or not published.token
        published.status = 200
        published.revoke(9)
        await followed.fetching.join()
    assert statuses(followed, 9) == [1]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_an_issuer_that_never_ends_its_answer_is_left(
    issuer: TokenIssuer, key_set: RemoteKeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIST_TIMEOUT", 0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    followed = FollowedList(STATUS_LIST_URI, key_set, lambda *_: None, clock=issuer.clock, transport=transport)
    await followed.fetching.join()
    assert followed.fetching.is_failing


async def test_a_redirect_is_not_followed(issuer: TokenIssuer, key_set: RemoteKeySet, published: PublishedList) -> None:
    visited: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        visited.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://evil.example/list"})

    transport = httpx.MockTransport(answer)
    followed = FollowedList(STATUS_LIST_URI, key_set, lambda *_: None, clock=issuer.clock, transport=transport)
    await followed.fetching.join()
    assert visited == [STATUS_LIST_URI]


async def test_a_large_list_is_read_like_a_small_one(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList
) -> None:
    noise = b"".join(number.to_bytes(4) for number in range(200_000))
    published.statuses = bytearray(noise)
    published.token = published.signed()
    assert len(published.token) > SMALL
    await followed.fetching.join()
    assert followed.held
    assert followed.held.statuses == noise


async def test_a_new_key_is_fetched_for_the_list_that_it_signed(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    issuer.rotate()
    published.revoke(9)
    await followed.fetching.join()
    assert statuses(followed, 9) == [1]
    assert issuer.key.kid in key_set.keys


async def test_a_list_goes_with_its_key_and_the_next_is_taken_whatever_its_age(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    issuer.rotate()
    await key_set.refresh()
    assert followed.held is None
    published.token = published.signed(iat=issuer.clock.now - 1000)
    await followed.fetching.join()
    assert "If-None-Match" not in published.requests[-1].headers
    assert followed.held
    assert followed.held.iat == issuer.clock.now - 1000


async def test_a_list_stays_while_its_key_does(
    followed: FollowedList, issuer: TokenIssuer, key_set: RemoteKeySet
) -> None:
    held = followed.held
    issuer.document = jwk_set(issuer.key, new_signing_key())
    await key_set.refresh()
    assert followed.held is held


async def test_a_list_that_was_asked_for_before_its_key_went_is_asked_for_anew(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    published.gate.clear()
    fetching = followed.fetching.start()
    await until(lambda: len(published.requests) == 2)
    issuer.rotate()
    await key_set.refresh()
    assert followed.held is None
    published.gate.set()  # the answer is 304, to a question about a list that counts no more
    await until(lambda: len(published.requests) == 3)  # still by the key that was withdrawn
    assert followed.held is None
    published.token = published.signed()
    await fetching
    assert followed.held


async def test_requests_wait_for_the_list_that_replaces_one_by_a_withdrawn_key(
    followed: FollowedList, issuer: TokenIssuer, published: PublishedList, key_set: RemoteKeySet
) -> None:
    published.revoke(9)
    await followed.fetching.join()
    issuer.rotate()
    await key_set.refresh()  # ahead of the list
    asked = len(published.requests)
    waiting = asyncio.create_task(followed.seek(9))
    await until(lambda: len(published.requests) > asked + 1)
    assert not waiting.done()
    published.token = published.signed()
    await waiting
    assert statuses(followed, 9) == [1]


async def test_an_issuer_that_never_replaces_a_withdrawn_keys_list_has_failed(
    followed: FollowedList, issuer: TokenIssuer, key_set: RemoteKeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIST_TIMEOUT", 0.05)
    issuer.rotate()
    await key_set.refresh()
    await followed.fetching.join()
    assert followed.held is None
    assert followed.fetching.is_failing
