"""The last known status lists on disk, so that a restart while the issuer is away forgets no revocation."""

import asyncio
import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tallystick.remote.last_known_file import LastKnownFile
from tallystick.remote.shared_fetch import is_running
from tallystick.status_list import StatusList
from tallystick.strict_json import parse_object

MAX_FILE_BYTES = 64 * 1024 * 1024

log = logging.getLogger(__name__)


class StatusFile:
    """A JSON object of Status List Tokens by their address. They prove themselves: who reads them verifies them."""

    def __init__(self, path: Path, *, max_lag: int | None = None) -> None:
        """Written when a list says something else than the file. With `max_lag` also when the file's version was
        signed so many seconds earlier: for those who do not believe an old one.
        """
        self.path = path
        self._file = LastKnownFile(path, "the status lists")
        self._max_lag = max_lag
        self._texts: dict[str, str] = {}
        self._written: dict[str, StatusList] = {}
        self._is_behind = False
        self._saving: asyncio.Task[None] | None = None

    def read(self) -> dict[str, str]:
        """The tokens, as somebody has written them. Raises OSError and ValueError."""
        document = self._file.read(max_bytes=MAX_FILE_BYTES)
        texts = parse_object(document) if document is not None else {}
        return {uri: text for uri, text in texts.items() if isinstance(text, str)}

    def note(self, status_list: StatusList, text: str) -> None:
        """Keep this version, which is written in the background if it has to be."""
        self._texts[status_list.uri] = text
        written = self._written.get(status_list.uri)
        if written is None or self._is_outdone(written, status_list):
            self._written[status_list.uri] = status_list
            self._is_behind = True
            if not is_running(self._saving):
                self._saving = asyncio.create_task(self._save())

    def was_read(self, status_list: StatusList, text: str) -> None:
        """This is what stands in the file, and was verified."""
        self._texts[status_list.uri] = text
        self._written[status_list.uri] = status_list

    def forget(self, uri: str) -> None:
        self._texts.pop(uri, None)
        self._written.pop(uri, None)

    async def aclose(self) -> None:
        """Return once what was noted is on disk."""
        if self._saving is not None and is_running(self._saving):
            await self._saving

    def _is_outdone(self, written: StatusList, fresh: StatusList) -> bool:
        if not written.says_the_same_as(fresh):
            return True
        return self._max_lag is not None and fresh.iat - written.iat > self._max_lag

    async def _save(self) -> None:
        while self._is_behind:
            self._is_behind = False
            if not await self._file.write(partial(_as_document, dict(self._texts))):
                self._written.clear()  # so that the next version is written, whatever it says


def _as_document(texts: Mapping[str, str]) -> bytes:
    return json.dumps(texts).encode()
