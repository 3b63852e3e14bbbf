"""`python -m resource_service serve --config FILE`"""

from pathlib import Path
from typing import Annotated

import typer

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick.server import exit_on_misconfiguration, read_settings, serve
from tallystick.store.migrations import migrate

NAME = "notes API"

cli = typer.Typer(add_completion=False, help="The notes API: a resource server that believes tokens offline.")


@cli.callback()
def commands() -> None:
    """Makes `serve` a command that has to be named, as it has to be at the auth service."""


@cli.command("serve")
def serve_command(
    config: Annotated[Path, typer.Option(help="The configuration, as in resource.toml.")],
    host: Annotated[str | None, typer.Option(help="Where to listen; loopback when left out.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    workers: Annotated[int, typer.Option(min=1, help="How many processes.")] = 1,
) -> None:
    """Bring the database to its newest form, and serve the API until SIGTERM."""
    with exit_on_misconfiguration(NAME):
        settings = read_settings(Settings, config, env_prefix="RESOURCE_")
        migrate(settings.database_url, "resource_service.migrations")
        status = serve(lambda: create_app(settings), name=NAME, host=host, port=port, workers=workers)
    raise typer.Exit(status)


if __name__ == "__main__":
    cli()
