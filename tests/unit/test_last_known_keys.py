"""The file with the last known keys, for a start while the issuer is unavailable."""

import json
import os
from pathlib import Path

import pytest

from tallystick.remote.key_set import RemoteKeySet
from tests.support.token_issuer import ISSUER, TokenIssuer


def key_set_with(issuer: TokenIssuer, path: Path) -> RemoteKeySet:
    return RemoteKeySet(
        ISSUER, jwks_uri=f"{ISSUER}/keys", jwks_file=path, clock=issuer.clock, transport=issuer.transport
    )


async def test_start_without_the_issuer_uses_the_file(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(issuer.document)
    issuer.is_away = True
    key_set = key_set_with(issuer, path)
    assert key_set.keys
    assert issuer.key.kid in await key_set.look_up(issuer.key.kid)


async def test_file_is_rewritten_when_the_keys_change(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "keys.json"
    key_set = key_set_with(issuer, path)
    await key_set.refresh()
    assert path.read_bytes() == issuer.document
    issuer.rotate()
    await key_set.refresh()
    assert path.read_bytes() == issuer.document
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


async def test_file_is_not_rewritten_while_the_keys_are_the_same(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(issuer.document)
    key_set = key_set_with(issuer, path)
    issuer.document = json.dumps(json.loads(issuer.document), indent=4).encode()
    before = path.stat()
    await key_set.refresh()
    assert path.stat() == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"keys": 1}'])
async def test_malformed_file_is_logged_and_replaced(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    key_set = key_set_with(issuer, path)
    assert not key_set.keys
    assert "cannot use the keys" in caplog.text
    await key_set.refresh()
    assert path.read_bytes() == issuer.document


async def test_unwritable_file_is_logged_and_keys_are_still_used(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    key_set = key_set_with(issuer, tmp_path / "file" / "keys.json")
    await key_set.refresh()
    assert key_set.keys
    assert "cannot keep the keys" in caplog.text


async def test_old_temporary_files_are_removed(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old, recent = tmp_path / "keys.json.abandoned.new", tmp_path / "keys.json.under-way.new"
    for temporary in (old, recent):
        temporary.write_bytes(b"half a docu")
    os.utime(old, (0, 0))
    await key_set_with(issuer, path).refresh()
    assert sorted(file.name for file in path.parent.iterdir()) == ["keys.json", "keys.json.under-way.new"]


async def test_failed_write_is_retried_and_logged_once(
    issuer: TokenIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a file, and no folder" / "keys.json"
    path.parent.touch()
    key_set = key_set_with(issuer, path)
    for _ in range(3):
        await key_set.refresh()
    assert caplog.text.count("cannot keep the keys") == 1
    path.parent.unlink()
    await key_set.refresh()
    assert path.read_bytes() == issuer.document
