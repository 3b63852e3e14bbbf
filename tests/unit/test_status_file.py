"""The last known lists on disk: a restart while the issuer is away forgets no revocation."""

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
            await self.auth.verifier.verify(token)
        except InvalidToken:
            return "refused"
        except TemporarilyUnavailable:
            return "unavailable"
        return "served"


@asynccontextmanager
async def started(
    issuer: TokenIssuer, folder: Path, *, policy: StatusPolicyName = "serve_until_exp", keys: bool = True
) -> AsyncIterator[Api]:
    """A process of an API, from its start to its end. Its issuer is asked every 10 ms."""
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


async def test_a_restart_without_the_issuer_forgets_no_revocation(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    good, revoked = issuer.access_token(status=status(1)), issuer.access_token(status=status(9))
    async with started(issuer, tmp_path) as api:
        assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
    issuer.is_away = True
    issuer.clock.advance(seconds=240)  # by now the list has expired
    async with started(issuer, tmp_path) as api:
        assert api.auth.is_ready
        assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]


async def test_fail_closed_does_not_believe_an_old_file(issuer: TokenIssuer, tmp_path: Path) -> None:
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


async def test_a_list_from_the_file_is_checked_with_the_issuer_before_it_refuses(
    issuer: TokenIssuer, tmp_path: Path
) -> None:
    """The file may be from last month, and the place have been given to another family since."""
    published = issuer.publish_list()
    published.revoke(9)
    async with started(issuer, tmp_path) as api:
        await until(lambda: bool(api.written))
    issuer.clock.advance(seconds=30 * 86400)
    published.statuses[:] = bytes(8)
    published.token = published.signed()
    async with started(issuer, tmp_path) as api:
        assert await api.verdict(issuer.access_token(status=status(9))) == "served"


async def test_it_is_written_when_a_list_says_something_else(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    async with started(issuer, tmp_path) as api:
        first = published.token
        await until(lambda: api.written == {STATUS_LIST_URI: first})
        issuer.clock.advance(seconds=10)
        published.token = published.signed()  # another iat, and nothing else
        seen = len(published.requests)
        await until(lambda: len(published.requests) > seen + 3)
        assert api.written == {STATUS_LIST_URI: first}
        published.revoke(9)
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
        assert api.file.stat().st_mode & 0o077 == 0
    assert sorted(os.listdir(tmp_path)) == ["keys.json", "lists.json"]  # noqa: PTH208 - nothing else is left behind


async def test_fail_closed_keeps_the_file_young(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    async with started(issuer, tmp_path, policy="fail_closed") as api:
        await until(lambda: bool(api.written))
        issuer.clock.advance(seconds=16)  # more than half of the age that is allowed
        published.token = published.signed()
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})


async def test_the_file_of_several_lists_has_them_all(issuer: TokenIssuer, tmp_path: Path) -> None:
    lists = [issuer.publish_list(f"{ISSUER}/status-lists/{number}") for number in range(3)]
    async with started(issuer, tmp_path) as api:
        await until(lambda: api.written == {published.uri: published.token for published in lists})
    issuer.clock.advance(seconds=1)
    async with started(issuer, tmp_path) as api:
        lists[1].revoke(9)
        await until(lambda: api.written == {published.uri: published.token for published in lists})


async def test_without_keys_it_waits_for_the_first(issuer: TokenIssuer, tmp_path: Path) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    (tmp_path / "lists.json").write_text(json.dumps({STATUS_LIST_URI: published.token}))
    published.status = 500
    async with started(issuer, tmp_path, keys=False) as api:
        assert await api.verdict(issuer.access_token(status=status(9))) == "refused"


async def test_a_list_of_a_key_that_was_withdrawn_is_not_believed(
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
async def test_nonsense_in_it_is_replaced(issuer: TokenIssuer, tmp_path: Path, content: Callable[[str], bytes]) -> None:
    published = issuer.publish_list()
    (tmp_path / "keys.json").write_bytes(issuer.document)
    (tmp_path / "lists.json").write_bytes(content(published.token))
    async with started(issuer, tmp_path) as api:
        assert not api.auth.followed().list_ages
        await api.verdict(issuer.access_token(status=status(1)))
        await until(lambda: _is_replaced(api, published.token))


def _is_replaced(api: Api, token: str) -> bool:
    try:
        return api.written == {STATUS_LIST_URI: token}
    except ValueError:
        return False


async def test_a_place_that_cannot_be_written_is_no_reason_to_stop(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.publish_list()
    (tmp_path / "lists.json").mkdir()
    async with started(issuer, tmp_path) as api:
        assert await api.verdict(issuer.access_token(status=status(1))) == "served"
        await until(lambda: "cannot keep the status lists" in caplog.text)


async def test_what_could_not_be_written_is_tried_again(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published = issuer.publish_list()
    folder = tmp_path / "a file, and no folder"
    folder.touch()
    async with started(issuer, folder, keys=False) as api:
        await api.verdict(issuer.access_token(status=status(1)))
        await until(lambda: "cannot keep the status lists" in caplog.text)
        folder.unlink()
        issuer.clock.advance(seconds=10)
        published.token = published.signed()  # which says the same
        await until(lambda: api.written == {STATUS_LIST_URI: published.token})
    assert caplog.text.count("cannot keep the status lists") == 1
