"""A simulated issuer on loopback, for APIs that run as processes."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from tests.support.clock import MovableClock
from tests.support.token_issuer import PublishedList, TokenIssuer, status


class ServedIssuer:
    """`url` is its identifier. It signs with the time of this machine."""

    def __init__(self, url: str, audience: str) -> None:
        self.url = url
        self.audience = audience
        self._signer = TokenIssuer(MovableClock(int(time.time())))
        self._signer.metadata |= {"issuer": url, "jwks_uri": f"{url}/keys"}
        self._list: PublishedList = self._signer.publish_list(f"{url}/status-lists/1")
        self._signer.metadata["status_list_aggregation_endpoint"] = f"{url}/status-lists"

    def now(self) -> int:
        return self._signer.clock.now

    def access_token(self, *, idx: int = 0, **changes: object) -> str:
        """A valid token, for all tests of a module. `idx`: of its status, below 64."""
        self._signer.clock.now = int(time.time())
        good: dict[str, object] = {"iss": self.url, "aud": self.audience, "status": status(idx, self._list.uri)}
        return self._signer.access_token(**good | changes)

    def revoke(self, idx: int) -> None:
        self._signer.clock.now = int(time.time())
        self._list.revoke(idx)

    def answer(self, path: str, headers: dict[str, str]) -> httpx.Response:
        self._signer.clock.now = int(time.time())
        if path == "/status-lists/1":
            self._list.token = self._list.signed()
        request = httpx.Request("GET", f"{self.url}{path}", headers=headers)
        return asyncio.run(self._signer.transport.handle_async_request(request))


@contextmanager
def served_issuer(audience: str) -> Iterator[ServedIssuer]:
    """Serve an issuer on a free port during the block."""
    issuers: list[ServedIssuer] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            response = issuers[0].answer(self.path, dict(self.headers))
            self.send_response(response.status_code)
            for name in ("ETag", "Content-Type"):
                if name in response.headers:
                    self.send_header(name, response.headers[name])
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuers.append(ServedIssuer(f"http://127.0.0.1:{server.server_address[1]}", audience))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield issuers[0]
        finally:
            server.shutdown()
            thread.join()
