"""Response headers that restrict what a browser does with a response."""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT_CSP = "default-src 'none'; frame-ancestors 'none'"
_CSP = b"content-security-policy"
_OPENER_POLICY = (b"cross-origin-opener-policy", b"same-origin")


class SecurityHeaders:
    """Add the headers to every response, except those that the response has set.

    `https`: the service is reached by TLS, so browsers must use only TLS for a year. `popup_paths`: responses that may
    be shown in a popup of a page of another origin. They have no Cross-Origin-Opener-Policy, because one response with
    it, even a redirect, cuts the popup off from its opener, and the app never gets the result.
    """

    def __init__(
        self, app: ASGIApp, *, https: bool, csp: str = STRICT_CSP, popup_paths: Collection[str] = frozenset()
    ) -> None:
        self._app = app
        self._popup_paths = frozenset(popup_paths)
        self._in_popups = [
            (_CSP, csp.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ]
        if https:
            self._in_popups.append((b"strict-transport-security", b"max-age=31536000"))
        self._elsewhere = [*self._in_popups, _OPENER_POLICY]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = self._in_popups if scope["path"] in self._popup_paths else self._elsewhere

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}
                given += [header for header in headers if header[0] not in names]
                message["headers"] = given
            await send(message)

        await self._app(scope, receive, send_with_headers)
