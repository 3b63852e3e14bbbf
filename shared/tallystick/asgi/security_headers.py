"""The headers that tell a browser to trust a response with as little as possible."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT_CSP = "default-src 'none'; frame-ancestors 'none'"
_CSP = b"content-security-policy"


class SecurityHeaders:
    """Add the headers to every response; one that a response sets by itself is kept.

    `https`: the service is reached by TLS, so browsers are told to use nothing else for a year.
    """

    def __init__(self, app: ASGIApp, *, https: bool, csp: str = STRICT_CSP) -> None:
        self._app = app
        self._headers = [
            (_CSP, csp.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        if https:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}
                given += [header for header in self._headers if header[0] not in names]
                message["headers"] = given
            await send(message)

        await self._app(scope, receive, send_with_headers)
