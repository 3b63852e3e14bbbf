"""The notes API with another fetch interval, for which the configuration has no key:

`python -m tests.reliability.eager_api CONFIG SECONDS --port PORT`
"""

import sys
from functools import partial
from pathlib import Path

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.server import serve
from tallystick_service.server.logs import configure_logging
from tallystick_service.settings import read_settings
from tallystick_service.store.migrations import migrate


def main(config: str, seconds: str, _option: str, port: str) -> int:
    configure_logging()
    settings = read_settings(Settings, Path(config), env_prefix="RESOURCE_")
    migrate(settings.database_url, "resource_service.migrations")
    create = partial(create_app, settings, follow_every=float(seconds))
    return serve(create, name="notes API", host=None, port=int(port))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
