"""The keys of an issuer: updated while it answers, kept while it does not."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from tallystick.errors import TemporarilyUnavailable
from tallystick.remote import key_set as module
from tallystick.remote.document import COOLDOWN_SECONDS
from tallystick.remote.http import MAX_JSON_BYTES
from tallystick.remote.key_set import RemoteKeySet
from tests.support.token_issuer import ISSUER, TokenIssuer, jwk_set, new_signing_key


@pytest.fixture
async def key_set(issuer: TokenIssuer) -> AsyncIterator[RemoteKeySet]:
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport)
    yield key_set
    await key_set.aclose()


async def test_first_look_up_fetches_the_keys(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    assert not key_set.keys
    assert (await key_set.look_up(issuer.key.kid)).by_kid == {issuer.key.kid: issuer.key.public}
    assert key_set.keys


async def test_known_kid_causes_no_fetch(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.look_up(issuer.key.kid)
    fetches = issuer.fetches
    for _ in range(100):
        issuer.clock.advance(seconds=COOLDOWN_SECONDS)
        await key_set.look_up(issuer.key.kid)
    assert issuer.fetches == fetches


async def test_unknown_kid_fetches_the_new_key(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.look_up(issuer.key.kid)
    issuer.clock.advance(seconds=COOLDOWN_SECONDS)
    issuer.rotate()
    assert (await key_set.look_up(issuer.key.kid)).by_kid == {issuer.key.kid: issuer.key.public}


async def test_concurrent_unknown_kids_share_one_fetch(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.rotate()
    found = await asyncio.gather(*[key_set.look_up(f"unknown-{i}") for i in range(50)], key_set.look_up(issuer.key.kid))
    assert all(issuer.key.kid in keys for keys in found)
    assert issuer.fetches == 2


async def test_unknown_kids_cause_one_fetch_per_cooldown(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.look_up("unknown")
    fetches = issuer.fetches
    for i in range(50):
        await key_set.look_up(f"unknown-{i}")
    assert issuer.fetches == fetches
    issuer.clock.advance(seconds=COOLDOWN_SECONDS)
    for i in range(50):
        await key_set.look_up(f"unknown-{i}")
    assert issuer.fetches == fetches + 1


async def test_clock_set_back_does_not_extend_the_cooldown(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.look_up("unknown")
    issuer.clock.advance(seconds=-86400)
    issuer.rotate()
    assert issuer.key.kid in await key_set.look_up(issuer.key.kid)


async def test_cancelled_caller_does_not_cancel_the_shared_fetch(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    cancelled, waiting = (asyncio.create_task(key_set.look_up(issuer.key.kid)) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert issuer.key.kid in await waiting


async def test_keys_are_a_new_object_only_when_they_changed(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    keys = key_set.keys
    await key_set.refresh()
    assert key_set.keys is keys
    issuer.document = jwk_set(issuer.key, new_signing_key())
    await key_set.refresh()
    assert key_set.keys is not keys


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (500, b""),
        (404, b"{}"),
        (204, b""),
        (302, jwk_set()),
        (200, b"<html>"),
        (200, b""),
        (200, b"[]"),
        (200, b'{"keys": 5}'),
        (200, b'{"keys": [], "keys": []}'),
        (200, b'{"keys": [], "x": "' + b"x" * MAX_JSON_BYTES + b'"}'),
        (200, b"[" * 100_000),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_bad_response_keeps_the_keys_and_logs_one_warning(
    key_set: RemoteKeySet, issuer: TokenIssuer, caplog: pytest.LogCaptureFixture, status: int, document: bytes
) -> None:
    await key_set.refresh()
    keys = key_set.keys
    issuer.status, issuer.document = status, document
    with caplog.at_level(logging.WARNING, logger="tallystick"):
        await key_set.refresh()
        await key_set.refresh()
    assert key_set.keys is keys
    assert len(caplog.records) == 1


async def test_keys_stay_while_the_issuer_is_away(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.is_away = True
    await key_set.refresh()
    assert (await key_set.look_up("unknown")).by_kid == {issuer.key.kid: issuer.key.public}


async def test_empty_jwk_set_withdraws_the_last_key(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.document = jwk_set()
    await key_set.refresh()
    assert (await key_set.look_up(issuer.key.kid)).by_kid == {}
    assert not key_set.keys


async def test_compressed_response_is_refused() -> None:
    """Decompressed, it could be a thousand times as long as the bytes that were counted."""
    answer = httpx.Response(200, content=jwk_set(), headers={"Content-Encoding": "br"})
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=httpx.MockTransport(lambda _: answer))
    await key_set.refresh()
    with pytest.raises(TemporarilyUnavailable):
        await key_set.look_up("k")


async def test_redirect_is_not_followed(issuer: TokenIssuer) -> None:
    visited: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        visited.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://evil.example/keys"})

    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=httpx.MockTransport(answer))
    await key_set.refresh()
    assert visited == [f"{ISSUER}/keys"]


async def test_endless_response_is_aborted(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_TIMEOUT", 0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=transport)
    await key_set.refresh()
    assert not key_set.keys


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "ftp://id.example.com",
        "id.example.com",
        "https://",
        "https://user@id.example.com",
        "https://id.example.com?x=1",
        "https://id.example.com#x",
        "https://id.example.com:99999",
        'https://id.example.com/"',
        "https://id.example.com/\n",
        "",
    ],
)
def test_url_that_is_neither_https_nor_on_loopback_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - for a port the message is the standard library's
        RemoteKeySet(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://app.localhost", "http://127.0.0.1:1", "http://[::1]:8000", ISSUER]
)
def test_https_and_loopback_urls_are_accepted(url: str) -> None:
    assert not RemoteKeySet(url).keys
