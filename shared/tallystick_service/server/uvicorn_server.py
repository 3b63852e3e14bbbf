"""uvicorn's Server, ending with an exit status instead of a signal."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn


class Server(uvicorn.Server):
    """`on_ready` is called when connections are accepted. `parent`: a file descriptor that is readable when the parent
    process has ended; the server then stops.

    The caller installs `handle_exit` as signal handler. uvicorn's own `capture_signals` would install it later, and
    would raise the signal again after the shutdown.
    """

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None], parent: int | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._parent = parent

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._stop)
        if not self.should_exit:
            self._on_ready()

    def _stop(self) -> None:
        self.should_exit = True
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)
