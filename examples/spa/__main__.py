"""`python -m examples.spa --help`"""

import argparse
import contextlib
import json
import signal
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

from examples.spa.handler import LIBRARY, LIBRARY_IS_MISSING, SITE, handler


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.spa", description="Serve the single-page app on loopback."
    )
    parser.add_argument("--port", type=int, default=8013, help="%(default)s")
    parser.add_argument("--library", type=Path, default=LIBRARY, help="oidc-client-ts.min.js (%(default)s)")
    config = json.loads((SITE / "config.json").read_text())
    for name, value in config.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=value, help=f"{value}, as in config.json")
    options = parser.parse_args()
    if not options.library.is_file():
        print(f"spa: {LIBRARY_IS_MISSING}", file=sys.stderr)
        return 2
    config = {name: getattr(options, name) for name in config}
    try:
        server = ThreadingHTTPServer(("127.0.0.1", options.port), handler(config, options.library))
    except OSError as error:
        print(f"spa: port {options.port}: {error.strerror}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"spa listens on http://spa.localhost:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
