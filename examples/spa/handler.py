"""The files of the app with strict response headers. Any static server can send the same ones (README.md)."""

import json
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

SITE = Path(__file__).parent / "site"
LIBRARY = Path(__file__).parent / "node_modules" / "oidc-client-ts" / "dist" / "browser" / "oidc-client-ts.min.js"
LIBRARY_IS_MISSING = "oidc-client-ts is missing; `npm ci --ignore-scripts --prefix examples/spa` gets it"


def headers(config: Mapping[str, str]) -> dict[str, str]:
    """The headers of every response. Scripts come from this origin only, and talk to the issuer and the API only."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "data:",
        "connect-src": f"'self' {config['issuer']} {config['api']}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }


class Handler(SimpleHTTPRequestHandler):
    """Serves the folder `site`, the library file, and `config` as config.json."""

    timeout = 30
    """Seconds after which a connection without a request is closed."""

    def __init__(self, *arguments: object, config: Mapping[str, str], library: Path, **options: object) -> None:
        self._headers = headers(config)
        self._config = json.dumps(dict(config)).encode()
        self._library = library
        super().__init__(*arguments, directory=str(SITE), **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path == "/config.json":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(self._config)))
            self.end_headers()
            self.wfile.write(self._config)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        return str(self._library) if path == f"/{self._library.name}" else super().translate_path(path)

    def list_directory(self, path: object) -> None:
        self.send_error(404)

    def end_headers(self) -> None:
        for name, value in self._headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name that the base class uses
        """Log nothing: the address can hold a code."""


def handler(config: Mapping[str, str], library: Path = LIBRARY) -> partial[Handler]:
    """`config` has `issuer`, `client_id` and `api`."""
    return partial(Handler, config=config, library=library)
