"""What a browser would complain about to itself: errors, broken policies, and whatever is loaded from elsewhere."""

from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Request, WebError

NO_COMPLAINTS = (
    "Failed to load resource: the server responded with a status of",  # a 4xx or 5xx, which tests look at themselves
    "Scripts may close only the windows that were opened by them.",  # where a test opened it
)


class Watch:
    """`origins` are those from which something may be loaded."""

    def __init__(self, origins: set[str]) -> None:
        self.origins = set(origins)
        self.urls: list[str] = []
        """Of all requests, in their order."""
        self._complaints: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._hear)
        context.on("weberror", self._hear_error)
        context.on("request", self._see)

    def judge(self) -> None:
        """Raises AssertionError with every complaint."""
        assert not self._complaints, "\n".join(self._complaints)

    def _hear(self, message: ConsoleMessage) -> None:
        # A broken Content-Security-Policy is an error in the console.
        if message.type in ("error", "warning") and not message.text.startswith(NO_COMPLAINTS):
            self._complaints.append(f"console: {message.text}")

    def _hear_error(self, error: WebError) -> None:
        self._complaints.append(f"script: {error.error}")

    def _see(self, request: Request) -> None:
        self.urls.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self._complaints.append(f"request to elsewhere: {request.url}")
