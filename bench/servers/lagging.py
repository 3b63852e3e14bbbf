"""The auth service with a measurement of its event loop. Arguments: port, configuration file.

GET /-/lag returns the lags of the event loop since the last GET, in milliseconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from auth_service.configuration.configuration_file import read_config
from auth_service.main import create_app
from tallystick_service.server import serve

INTERVAL = 0.005
"""Seconds between two measurements."""


class LagWatch:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lags: list[float] = []
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/-/lag":
            await self._app(scope, receive, send)
            return
        self._watching = self._watching or asyncio.create_task(self._watch())
        lags, self._lags = self._lags, []
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(lags).encode()})

    async def _watch(self) -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(INTERVAL)
            self._lags.append(max(time.perf_counter() - begin - INTERVAL, 0.0) * 1000)


if __name__ == "__main__":
    port, config = int(sys.argv[1]), Path(sys.argv[2])
    sys.exit(serve(lambda: LagWatch(create_app(read_config(config))), name="lagging", host="127.0.0.1", port=port))
