"""Watches browsers for console errors, violations of the content security policy, and requests to other origins."""

from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Request, WebError

IGNORED_MESSAGES = (
    "Failed to load resource: the server responded with a status of",  # a 4xx or 5xx; tests check the status themselves
    "Scripts may close only the windows that were opened by them.",  # the window was opened by the test
)


class BrowserMonitor:
    """`origins` are the origins from which pages may load something."""

    def __init__(self, origins: set[str]) -> None:
        self.origins = set(origins)
        self.urls: list[str] = []
        """The URLs of all requests, in their order."""
        self._complaints: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._on_console)
        context.on("weberror", self._on_web_error)
        context.on("request", self._on_request)

    def check(self) -> None:
        """Raises AssertionError with every complaint."""
        assert not self._complaints, "\n".join(self._complaints)

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser reports violations of the Content-Security-Policy as errors in the console.
        if message.type in ("error", "warning") and not message.text.startswith(IGNORED_MESSAGES):
            self._complaints.append(f"console: {message.text}")

    def _on_web_error(self, error: WebError) -> None:
        self._complaints.append(f"script: {error.error}")

    def _on_request(self, request: Request) -> None:
        self.urls.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self._complaints.append(f"request to another origin: {request.url}")
