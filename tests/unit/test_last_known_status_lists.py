"""The file with the last known status lists: a restart without the issuer still knows every revocation."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.fastapi import StatusPolicyName, Tallystick
from tests.support.token_issuer import AUDIENCE, ISSUER, STATUS_LIST_URI, TokenIssuer, status
from tests.support.waiting import until


class Api:
    def __init__(self, auth: Tallystick, folder: Path) -> None:
        self.auth = auth
        self.file = folder / "lists.json"

    @property
    def written(self) -> dict[str, str]:
        return json.loads(self.file.read_bytes()) if self.file.exists() else {}

    async def verdict(self, token: str) -> str:
        try:
            await self.auth.verify(token)
        except InvalidToken:
            return "refused"
        except TemporarilyUnavailable:
            return "unavailable"
        return "served"


@asynccontextmanager
async def started(
    issuer: TokenIssuer, folder: Path, *, policy: StatusPolicyName = "serve_until_exp", keys: bool = True
) -> AsyncIterator[Api]:
    """An API from start to end. It fetches every 10 ms."""
    auth = Tallystick(
        ISSUER,
        AUDIENCE,
        jwks_file=folder / "keys.json" if keys else None,
        status_policy=policy,
        status_max_age=30,
        status_file=folder / "lists.json",
        follow_every=0.01,
        clock=issuer.clock,
        transport=issuer.transport,
    )
    app = FastAPI()
    app.include_router(auth.metadata)
    async with app.router.lifespan_context(app):
        yield Api(auth, folder)


async def test_restart_without_the_issuer_keeps_every_revocation(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    good, revoked = issuer.access_token(status=status(1)), issuer.access_token(status=status(9))
    async with started(issuer, tmp_path) as api:
        assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
    issuer.is_away = True
    issuer.clock.advance(seconds=240)  # the list has expired
    async with started(issuer, tmp_path) as api:
        assert api.auth.is_ready
        assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]


async def test_fail_closed_does_not_use_an_old_file_for_valid_tokens(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    good, revoked = issuer.access_token(status=status(1)), issuer.access_token(status=status(9))
    async with started(issuer, tmp_path, policy="fail_closed") as api:
        await api.verdict(good)
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
    issuer.is_away = True
    issuer.clock.advance(seconds=30)
    async with started(issuer, tmp_path, policy="fail_closed") as api:
        assert api.auth.is_ready
        assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]
        issuer.clock.advance(seconds=1)
        assert [await api.verdict(token) for token in (good, revoked)] == ["unavailable", "refused"]
        assert not api.auth.is_ready


async def test_list_from_the_file_is_refreshed_before_it_refuses_a_token(issuer: TokenIssuer, tmp_path: Path) -> None:
    """The file may be a month old, and its index may belong to another family now."""
    published = issuer.publish_list()
    published.revoke(9)
    async with started(issuer, tmp_path) as api:
        await until(lambda: bool(api.written))
    issuer.clock.advance(seconds=30 * 86400)
    published.statuses[:] = bytes(8)
    published.token = published.signed()
    async with started(issuer, tmp_path) as api:
        assert await api.verdict(issuer.access_token(status=status(9))) == "served"


async def test_file_is_rewritten_only_when_statuses_change(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    async with started(issuer, tmp_path) as api:
        first = published.token
        await until(lambda: api.written == {STATUS_LIST_URI: first})
        issuer.clock.advance(seconds=10)
        published.token = published.signed()  # only the iat differs
        seen = len(published.requests)
        await until(lambda: len(published.requests) > seen + 3)
        assert api.written == {STATUS_LIST_URI: first}
        published.revoke(9)
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
        assert api.file.stat().st_mode & 0o077 == 0
    assert sorted(os.listdir(tmp_path)) == ["keys.json", "lists.json"]  # noqa: PTH208 - no temporary file remains


async def test_fail_closed_rewrites_the_file_before_it_is_too_old(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    async with started(issuer, tmp_path, policy="fail_closed") as api:
        await until(lambda: bool(api.written))
        issuer.clock.advance(seconds=16)  # more than half of status_max_age
        published.token = published.signed()
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})


async def test_file_has_all_lists(issuer: TokenIssuer, tmp_path: Path) -> None:
    lists = [issuer.publish_list(f"{ISSUER}/status-lists/{number}") for number in range(3)]
    async with started(issuer, tmp_path) as api:
        await until(lambda: api.written == {published.uri: published.token for published in lists})
    issuer.clock.advance(seconds=1)
    async with started(issuer, tmp_path) as api:
        lists[1].revoke(9)
        await until(lambda: api.written == {published.uri: published.token for published in lists})


async def test_file_is_used_once_the_first_keys_are_fetched(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    (tmp_path / "lists.json").write_text(json.dumps({STATUS_LIST_URI: published.token}))
    published.status = 500
    async with started(issuer, tmp_path, keys=False) as api:
        assert await api.verdict(issuer.access_token(status=status(9))) == "refused"


async def test_list_of_a_withdrawn_key_is_ignored(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    (tmp_path / "lists.json").write_text(json.dumps({STATUS_LIST_URI: published.token}))
    issuer.rotate()
    (tmp_path / "keys.json").write_bytes(issuer.document)
    issuer.is_away = True
    async with started(issuer, tmp_path) as api:
        assert await api.verdict(issuer.access_token(status=status(9))) == "served"
    assert "cannot use the list" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        lambda _: b"",
        lambda _: b"{",
        lambda _: b"\xff",
        lambda _: b"[]",
        lambda _: b'{"x": 5}',
        lambda _: b'{"x": "y"}',
        lambda token: json.dumps({"https://other.example/list": token}).encode(),
        lambda token: json.dumps({STATUS_LIST_URI: token[:-4] + "AAAA"}).encode(),
    ],
)
async def test_malformed_file_is_replaced(issuer: TokenIssuer, tmp_path: Path, content: Callable[[str], bytes]) -> None:
    published = issuer.publish_list()
    (tmp_path / "keys.json").write_bytes(issuer.document)
    (tmp_path / "lists.json").write_bytes(content(published.token))
    async with started(issuer, tmp_path) as api:
        assert not api.auth.health().list_ages
        await api.verdict(issuer.access_token(status=status(1)))
        await until(lambda: _is_replaced(api, published.token))


def _is_replaced(api: Api, token: str) -> bool:
    try:
        return api.written == {STATUS_LIST_URI: token}
    except ValueError:
        return False


async def test_unwritable_file_is_logged_and_tokens_are_still_served(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.publish_list()
    (tmp_path / "lists.json").mkdir()
    async with started(issuer, tmp_path) as api:
        assert await api.verdict(issuer.access_token(status=status(1))) == "served"
        await until(lambda: "cannot keep the status lists" in caplog.text)


async def test_failed_write_is_retried(issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    published = issuer.publish_list()
    folder = tmp_path / "a file, and no folder"
    folder.touch()
    async with started(issuer, folder, keys=False) as api:
        await api.verdict(issuer.access_token(status=status(1)))
        await until(lambda: "cannot keep the status lists" in caplog.text)
        folder.unlink()
        issuer.clock.advance(seconds=10)
        published.token = published.signed()  # with the same statuses
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
    assert caplog.text.count("cannot keep the status lists") == 1
