"""uvicorn's Server, ending with an exit status instead of a signal."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGHUP, SIGINT, SIGTERM, signal
from socket import socket

import uvicorn

from tallystick_service.server.controlling_terminal import ControllingTerminal
from tallystick_service.server.worker import HEARTBEAT_INTERVAL, Worker

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """`on_ready` is called when connections are accepted. `worker`: None for a process without a parent that supervises
    it. A worker sends heartbeats, and stops when its parent has ended. SIGTERM and SIGINT end it at once as long as it
    does not accept connections, so that a start that takes long does not delay the end of the service.

    uvicorn's own `capture_signals` would raise the signal again after the shutdown.
    """

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None], worker: Worker | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._worker = worker
        self._terminal = ControllingTerminal()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def handle_signals(self) -> None:
        for number in (SIGTERM, SIGINT):
            signal(number, self.handle_exit)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        if self._worker is None:
            asyncio.get_running_loop().add_signal_handler(SIGHUP, self._on_hangup)
        await super().startup(sockets)
        if self._worker is not None:
            self.handle_signals()
            asyncio.get_running_loop().add_reader(self._worker.parent, self._on_parent_exit, self._worker)
            self._beat(self._worker)
        if not self.should_exit:
            self._on_ready()

    def _beat(self, worker: Worker) -> None:
        worker.beat()
        asyncio.get_running_loop().call_later(HEARTBEAT_INTERVAL, self._beat, worker)

    def _on_parent_exit(self, worker: Worker) -> None:
        self.should_exit = True
        asyncio.get_running_loop().remove_reader(worker.parent)

    def _on_hangup(self) -> None:
        if self._terminal.is_closed():
            self.should_exit = True
        else:
            logger.warning("SIGHUP was ignored: a service reloads only with two workers or more (--workers 2)")
