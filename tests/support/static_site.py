"""A folder as a web site with its own origin, over https."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so the base class calls it
        pass


class _Site(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A browser may close its connection at any time."""


def static_site(folder: Path, port: int, certificates: Path) -> AbstractContextManager[None]:
    """`certificates` holds server-ec.pem and server-ec.key."""
    return https_site(partial(_Quiet, directory=str(folder)), port, certificates)


@contextmanager
def https_site(handler: Callable[..., BaseHTTPRequestHandler], port: int, certificates: Path) -> Iterator[None]:
    """As `static_site`, with another handler of requests."""
    with _Site(("127.0.0.1", port), handler) as site:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates / "server-ec.pem", certificates / "server-ec.key")
        # The thread of the connection does the handshake, so a handshake that never ends delays no other connection.
        site.socket = tls.wrap_socket(site.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield
        site.shutdown()
        thread.join()
