"""The last known status lists in a file, so that an API that restarts without its issuer knows each revocation."""

import asyncio
import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tallystick.remote.document import is_running
from tallystick.remote.last_known_file import LastKnownFile
from tallystick.status_list import StatusList
from tallystick.strict_json import parse_object

MAX_FILE_BYTES = 64 * 1024 * 1024

log = logging.getLogger(__name__)


class StatusFile:
    """A JSON object of Status List Tokens by their URL. The reader verifies the tokens."""

    def __init__(self, path: Path, *, max_lag: int | None = None) -> None:
        """The file is rewritten when the statuses of a list change. With `max_lag`, it is also rewritten when its
        version of a list was signed that many seconds before the current one, because fail_closed rejects old lists.
        """
        self.path = path
        self._file = LastKnownFile(path, "the status lists")
        self._max_lag = max_lag
        self._tokens: dict[str, str] = {}
        self._written: dict[str, StatusList] = {}
        self._is_behind = False
        self._saving: asyncio.Task[None] | None = None

    def read(self) -> dict[str, str]:
        """The unverified tokens, by URL. Raises OSError and ValueError."""
        document = self._file.read(max_bytes=MAX_FILE_BYTES)
        tokens = parse_object(document) if document is not None else {}
        return {uri: token for uri, token in tokens.items() if isinstance(token, str)}

    def mark_as_written(self, status_list: StatusList, token: str) -> None:
        """The file has this version, and it was verified."""
        self._tokens[status_list.uri] = token
        self._written[status_list.uri] = status_list

    def put(self, status_list: StatusList, token: str) -> None:
        """Keep this version. If the file needs it, a background task writes it."""
        self._tokens[status_list.uri] = token
        written = self._written.get(status_list.uri)
        if written is None or self._must_replace(written, status_list):
            self._written[status_list.uri] = status_list
            self._is_behind = True
            if not is_running(self._saving):
                self._saving = asyncio.create_task(self._save())

    def remove(self, uri: str) -> None:
        """Leave this list out of the next version of the file."""
        self._tokens.pop(uri, None)
        self._written.pop(uri, None)

    async def aclose(self) -> None:
        """Wait until the current version is in the file."""
        if self._saving is not None and is_running(self._saving):
            await self._saving

    def _must_replace(self, written: StatusList, current: StatusList) -> bool:
        if not written.has_same_statuses(current):
            return True
        return self._max_lag is not None and current.iat - written.iat > self._max_lag

    async def _save(self) -> None:
        while self._is_behind:
            self._is_behind = False
            if not await self._file.write(partial(_to_json, dict(self._tokens))):
                self._written.clear()  # the next version of any list is written, even with the same statuses


def _to_json(tokens: Mapping[str, str]) -> bytes:
    return json.dumps(tokens).encode()
