"""Receives the authorization response at a loopback address (RFC 8252 §7.3)."""

import hmac
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from examples.native_cli.errors import ProgramError

PATH = "/callback"
PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>Back to the program</title><link rel="icon" href="data:,">
<h1>Back to the program</h1><p>The sign-in continues on the command line. You can close this window.</p></html>
"""


class Receiver(ThreadingHTTPServer):
    """Listens on 127.0.0.1, on a port that the system chooses."""

    daemon_threads = True

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.responses: queue.Queue[dict[str, str]] = queue.Queue()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"

    def wait(self, timeout: float) -> dict[str, str]:
        """Return the parameters of the response. Raises ProgramError after `timeout` seconds."""
        try:
            return self.responses.get(timeout=timeout)
        except queue.Empty:
            raise ProgramError(f"nobody signed in within {timeout:.0f} seconds") from None

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser may close its connection at any time."""


@contextmanager
def receiver(state: str) -> Iterator[Receiver]:
    with Receiver(state) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield server
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = 10
    """Seconds after which a connection without a complete request is closed."""

    def do_GET(self) -> None:
        """Accept the response to our request. Refuse all others, and wait longer: any website and any local
        program can send requests to this port.
        """
        url = urlsplit(self.path)
        parameters = parse_qs(url.query, max_num_fields=20)
        is_ours = hmac.compare_digest(parameters.get("state", [""])[0].encode(), self.server.state.encode())
        if url.path != PATH or not is_ours or any(len(values) > 1 for values in parameters.values()):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Content-Security-Policy", "default-src 'none'; img-src data:; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")  # the address holds the code
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(PAGE)
        self.server.responses.put({name: values[0] for name, values in parameters.items()})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name that the base class uses
        """Log nothing: the request line holds the code."""
