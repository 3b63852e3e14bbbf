"""uvicorn's Server, with an end that is an exit status and not a signal."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn


class Server(uvicorn.Server):
    """`on_ready` is called once connections are accepted. `parent`: a file descriptor whose end means that it is gone.

    Whoever makes it installs `handle_exit` for the signals; uvicorn would install it later, and die of the signal again
    when all is done.
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
            asyncio.get_running_loop().add_reader(self._parent, self._end)
        if not self.should_exit:
            self._on_ready()

    def _end(self) -> None:
        self.should_exit = True
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)
