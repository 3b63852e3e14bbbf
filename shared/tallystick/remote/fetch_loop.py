"""The event loop on which an issuer's documents are fetched: in a thread of its own, or the running one."""

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakSet

from tallystick.remote.issuer import RemoteIssuer

EXIT_TIMEOUT = 1.0
"""Seconds that the exit of the process waits for the threads. They end within milliseconds."""

T = TypeVar("T")


class FetchLoop:
    """An event loop that runs the rounds of `issuer`, in the process that created this object."""

    def __init__(
        self, issuer: RemoteIssuer, loop: asyncio.AbstractEventLoop, thread: threading.Thread | None = None
    ) -> None:
        self.issuer = issuer
        self.loop = loop
        self._thread = thread
        self._pid = os.getpid()
        self._is_stopped = False
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def on_running_loop(cls, issuer: RemoteIssuer) -> "FetchLoop":
        """The running event loop, for example that of a server."""
        issuer.start()
        return cls(issuer, asyncio.get_running_loop())

    @classmethod
    def in_a_thread(cls, issuer: RemoteIssuer) -> "FetchLoop":
        """A daemon thread with its own event loop. Raises RuntimeError when the system starts no more threads."""
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(_log_unless_exiting)
        thread = threading.Thread(target=_run, args=(loop, issuer), name="tallystick-follower", daemon=True)
        fetch_loop = cls(issuer, loop, thread)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        _stop_at_exit(fetch_loop)
        return fetch_loop

    @property
    def is_alive(self) -> bool:
        """False in a forked process, and after the end of the thread or loop. True does not prove progress."""
        if self._pid != os.getpid() or self._is_stopped or self.loop.is_closed():
            return False
        return self._thread is None or self._thread.is_alive()

    def submit(self, function: Callable[[], Awaitable[T]]) -> "Future[T]":
        """Await `function()` on the event loop. Callable from any thread. A caller that stops waiting stops nothing.

        Raises RuntimeError when the loop is closed.
        """
        future: Future[T] = Future()

        async def call() -> None:
            try:
                result = await function()
            except asyncio.CancelledError:
                future.cancel()
                raise
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        def begin() -> None:
            task = self.loop.create_task(call())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self.loop.call_soon_threadsafe(begin)
        return future

    def stop(self) -> "Future[None]":
        """Stop the rounds and the thread. Callable from any thread. The future ends with them."""
        if self.is_alive:
            self._is_stopped = True
            with suppress(RuntimeError):  # it has been closed meanwhile
                return self.submit(self.issuer.aclose)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, at most `timeout` seconds."""
        if self._thread is not None and self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join(timeout)


def _run(loop: asyncio.AbstractEventLoop, issuer: RemoteIssuer) -> None:
    async def follow() -> None:
        await asyncio.wait([issuer.start()])
        await issuer.aclose()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(follow())


def _log_unless_exiting(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """At the exit of the interpreter, look-ups of names fail, because no thread can be started any more."""
    if threading.main_thread().is_alive():
        loop.default_exception_handler(context)


_fetch_loops: WeakSet[FetchLoop] = WeakSet()


def _stop_at_exit(fetch_loop: FetchLoop) -> None:
    if not _fetch_loops:
        atexit.unregister(_stop_all)
        atexit.register(_stop_all)
    _fetch_loops.add(fetch_loop)


def _stop_all() -> None:
    fetch_loops = list(_fetch_loops)
    for fetch_loop in fetch_loops:
        fetch_loop.stop()
    for fetch_loop in fetch_loops:
        fetch_loop.join(EXIT_TIMEOUT)
