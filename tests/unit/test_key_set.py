"""An issuer's keys: fresh while it answers, kept while it does not."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tallystick import key_set as module
from tallystick.errors import TemporarilyUnavailable
from tallystick.issuer_metadata import MAX_DOCUMENT_BYTES
from tallystick.key_set import COOLDOWN, RemoteKeySet
from tests.support.token_issuer import ISSUER, TokenIssuer, jwk_set, new_signing_key
from tests.support.waiting import until


@pytest.fixture
async def key_set(issuer: TokenIssuer) -> AsyncIterator[RemoteKeySet]:
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", clock=issuer.clock, transport=issuer.transport)
    yield key_set
    await key_set.aclose()


async def test_the_first_use_fetches_the_keys(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    assert not key_set.is_ready
    assert await key_set.seek(issuer.key.kid) == {issuer.key.kid: issuer.key.public}
    assert key_set.is_ready


async def test_a_known_kid_asks_nobody(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.seek(issuer.key.kid)
    fetches = issuer.fetches
    for _ in range(100):
        issuer.clock.advance(seconds=COOLDOWN)
        await key_set.seek(issuer.key.kid)
    assert issuer.fetches == fetches


async def test_a_new_key_is_found_by_its_first_token(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.seek(issuer.key.kid)
    issuer.clock.advance(seconds=COOLDOWN)
    issuer.rotate()
    assert await key_set.seek(issuer.key.kid) == {issuer.key.kid: issuer.key.public}


async def test_unknown_kids_share_one_fetch(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.rotate()
    found = await asyncio.gather(*[key_set.seek(f"unknown-{i}") for i in range(50)], key_set.seek(issuer.key.kid))
    assert all(issuer.key.kid in keys for keys in found)
    assert issuer.fetches == 2


async def test_unknown_kids_ask_once_per_cooldown(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.seek("unknown")
    fetches = issuer.fetches
    for i in range(50):
        await key_set.seek(f"unknown-{i}")
    assert issuer.fetches == fetches
    issuer.clock.advance(seconds=COOLDOWN)
    for i in range(50):
        await key_set.seek(f"unknown-{i}")
    assert issuer.fetches == fetches + 1


async def test_a_clock_that_is_set_back_does_not_stop_the_asking(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.seek("unknown")
    issuer.clock.advance(seconds=-86400)
    issuer.rotate()
    assert issuer.key.kid in await key_set.seek(issuer.key.kid)


async def test_a_caller_who_gives_up_takes_nobody_along(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    hasty, patient = (asyncio.create_task(key_set.seek(issuer.key.kid)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    assert issuer.key.kid in await patient


async def test_keys_are_refreshed_without_being_asked_for(
    key_set: RemoteKeySet, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESH", 0.01)
    first = issuer.key.kid
    await key_set.seek(first)
    issuer.rotate()
    await until(lambda: first not in key_set.keys)
    assert issuer.key.kid in key_set.keys


async def test_an_issuer_that_starts_late_is_noticed(
    key_set: RemoteKeySet, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.01)
    issuer.is_away = True
    with pytest.raises(TemporarilyUnavailable):
        await key_set.seek(issuer.key.kid)
    issuer.is_away = False
    await until(lambda: key_set.is_ready)


async def test_the_keys_are_another_object_only_when_they_changed(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
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
        (200, b'{"keys": [], "x": "' + b"x" * MAX_DOCUMENT_BYTES + b'"}'),
        (200, b"[" * 100_000),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_nonsense_changes_nothing_and_is_said_once(
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


async def test_an_issuer_that_is_away_changes_nothing(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.is_away = True
    await key_set.refresh()
    assert await key_set.seek("unknown") == {issuer.key.kid: issuer.key.public}


async def test_an_issuer_that_withdraws_its_last_key_is_obeyed(key_set: RemoteKeySet, issuer: TokenIssuer) -> None:
    await key_set.refresh()
    issuer.document = jwk_set()
    await key_set.refresh()
    assert await key_set.seek(issuer.key.kid) == {}
    assert not key_set.is_ready


async def test_a_compressed_answer_is_refused() -> None:
    """It could be a thousand times as long as what was counted."""
    answer = httpx.Response(200, content=jwk_set(), headers={"Content-Encoding": "br"})
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=httpx.MockTransport(lambda _: answer))
    await key_set.refresh()
    with pytest.raises(TemporarilyUnavailable):
        await key_set.seek("k")
    await key_set.aclose()


async def test_a_redirect_is_not_followed(issuer: TokenIssuer) -> None:
    visited: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        visited.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://evil.example/keys"})

    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=httpx.MockTransport(answer))
    await key_set.refresh()
    assert visited == [f"{ISSUER}/keys"]


async def test_an_issuer_that_never_ends_its_answer_is_left(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FETCH_TIMEOUT", 0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    key_set = RemoteKeySet(ISSUER, jwks_uri=f"{ISSUER}/keys", transport=transport)
    await key_set.refresh()
    assert not key_set.is_ready


class TestJwksFile:
    def key_set(self, issuer: TokenIssuer, path: Path) -> RemoteKeySet:
        return RemoteKeySet(
            ISSUER, jwks_uri=f"{ISSUER}/keys", jwks_file=path, clock=issuer.clock, transport=issuer.transport
        )

    async def test_an_api_starts_with_it_while_the_issuer_is_away(self, issuer: TokenIssuer, tmp_path: Path) -> None:
        path = tmp_path / "keys.json"
        path.write_bytes(issuer.document)
        issuer.is_away = True
        key_set = self.key_set(issuer, path)
        assert key_set.is_ready
        assert issuer.key.kid in await key_set.seek(issuer.key.kid)
        await key_set.aclose()

    async def test_it_follows_the_issuer(self, issuer: TokenIssuer, tmp_path: Path) -> None:
        path = tmp_path / "not" / "yet" / "keys.json"
        key_set = self.key_set(issuer, path)
        await key_set.refresh()
        assert path.read_bytes() == issuer.document
        issuer.rotate()
        await key_set.refresh()
        assert path.read_bytes() == issuer.document
        assert path.stat().st_mode & 0o077 == 0
        assert [file.name for file in path.parent.iterdir()] == ["keys.json"]

    async def test_it_is_left_alone_while_the_keys_are_the_same(self, issuer: TokenIssuer, tmp_path: Path) -> None:
        path = tmp_path / "keys.json"
        path.write_bytes(issuer.document)
        key_set = self.key_set(issuer, path)
        issuer.document = json.dumps(json.loads(issuer.document), indent=4).encode()
        before = path.stat()
        await key_set.refresh()
        assert path.stat() == before

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"keys": 1}'])
    async def test_nonsense_in_it_is_said_and_replaced(
        self, issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
    ) -> None:
        path = tmp_path / "keys.json"
        path.write_bytes(content)
        key_set = self.key_set(issuer, path)
        assert not key_set.is_ready
        assert "cannot use the keys" in caplog.text
        await key_set.refresh()
        assert path.read_bytes() == issuer.document

    async def test_a_place_that_cannot_be_written_is_no_reason_to_stop(
        self, issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").touch()
        key_set = self.key_set(issuer, tmp_path / "file" / "keys.json")
        await key_set.refresh()
        assert key_set.is_ready
        assert "cannot keep the keys" in caplog.text


class TestDiscovery:
    """OpenID Connect Discovery §4, RFC 8414 §3."""

    def key_set(self, issuer: TokenIssuer, identifier: str = ISSUER) -> RemoteKeySet:
        return RemoteKeySet(identifier, clock=issuer.clock, transport=issuer.transport)

    async def test_the_keys_are_found_through_the_metadata(self, issuer: TokenIssuer) -> None:
        key_set = self.key_set(issuer)
        await key_set.refresh()
        await key_set.refresh()
        assert issuer.paths == ["/.well-known/openid-configuration", "/keys", "/keys"]
        assert key_set.is_ready

    async def test_an_issuer_with_a_path(self, issuer: TokenIssuer) -> None:
        issuer.metadata = {}
        await self.key_set(issuer, f"{ISSUER}/tenant").refresh()
        assert issuer.paths == [
            "/tenant/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/tenant",
        ]

    @pytest.mark.parametrize(
        "fault",
        [
            {"issuer": f"{ISSUER}/"},
            {"issuer": "https://evil.example"},
            {"issuer": None},
            {"jwks_uri": None},
            {"jwks_uri": 5},
            {"jwks_uri": "http://id.example.com/keys"},
            {"jwks_uri": "file:///keys"},
        ],
        ids=str,
    )
    async def test_metadata_that_is_not_the_issuers_own_is_not_believed(
        self, issuer: TokenIssuer, fault: dict[str, object]
    ) -> None:
        issuer.metadata |= fault
        key_set = self.key_set(issuer)
        await key_set.refresh()
        assert issuer.fetches == 0
        assert not key_set.is_ready

    async def test_a_jwks_uri_may_have_a_query(self, issuer: TokenIssuer) -> None:
        issuer.metadata["jwks_uri"] = f"{ISSUER}/keys?policy=1"
        key_set = self.key_set(issuer)
        await key_set.refresh()
        assert key_set.is_ready

    async def test_keys_that_moved_are_found_again(self, issuer: TokenIssuer) -> None:
        key_set = self.key_set(issuer)
        await key_set.refresh()
        issuer.metadata["jwks_uri"] = f"{ISSUER}/new-keys"
        issuer.status = 404
        await key_set.refresh()
        issuer.status = 200
        await key_set.refresh()
        assert issuer.paths[-1] == "/new-keys"


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
def test_keys_do_not_travel_where_others_could_change_them(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - for a port the reason is the standard library's
        RemoteKeySet(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://app.localhost", "http://127.0.0.1:1", "http://[::1]:8000", ISSUER]
)
def test_on_loopback_they_may_travel_as_they_are(url: str) -> None:
    assert not RemoteKeySet(url).is_ready


def test_a_key_set_outlives_an_event_loop(issuer: TokenIssuer) -> None:
    key_set = RemoteKeySet(ISSUER, clock=issuer.clock, transport=issuer.transport)
    for _ in range(2):
        issuer.clock.advance(seconds=COOLDOWN)
        issuer.rotate()
        assert issuer.key.kid in asyncio.run(key_set.seek(issuer.key.kid))


async def test_closing_leaves_no_task_behind(issuer: TokenIssuer) -> None:
    tasks = asyncio.all_tasks()
    key_set = RemoteKeySet(ISSUER, clock=issuer.clock, transport=issuer.transport)
    key_set.keep_fresh()
    await key_set.seek(issuer.key.kid)
    await key_set.aclose()
    assert asyncio.all_tasks() == tasks
