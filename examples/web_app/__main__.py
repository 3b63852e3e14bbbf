"""`python -m examples.web_app --help`"""

import sqlite3
import sys

from pydantic import ValidationError
from pydantic_settings import CliApp

from examples.web_app.app import create_app
from examples.web_app.session_store import SessionStore
from examples.web_app.settings import Settings
from tallystick_service.server import Application, ServeOptions, serve_configured
from tallystick_service.settings import Misconfigured, exit_on_misconfiguration


def main() -> int:
    with exit_on_misconfiguration("web_app"):
        settings = _settings()
        application = Application(lambda **_: create_app(settings), prepare=lambda: _prepare(settings))
        options = ServeOptions(port=settings.port, workers=settings.workers)
        return serve_configured(lambda: application, options, name=settings.name)


def _settings() -> Settings:
    try:
        return CliApp.run(Settings)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        option = "".join(f"--{str(name).replace('_', '-')}: " for name in first["loc"])
        raise Misconfigured(option + first["msg"].removeprefix("Value error, ")) from None


def _prepare(settings: Settings) -> None:
    """Create the session file once, before there are worker processes."""
    try:
        SessionStore(settings.session_file)
    except (OSError, sqlite3.Error) as error:
        raise Misconfigured(f"--session-file: {settings.session_file} cannot be used: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
