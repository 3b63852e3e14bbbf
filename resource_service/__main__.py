"""`python -m resource_service serve --config FILE`"""

import multiprocessing
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.server import Application, ServeOptions, serve_configured
from tallystick_service.server.logs import configure_logging
from tallystick_service.settings import exit_on_misconfiguration, read_settings

NAME = "notes API"

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.callback()
def commands() -> None:
    """The notes API: a resource server that verifies access tokens offline."""


@cli.command("serve")
def serve_command(
    config: Annotated[Path, typer.Option(help="The configuration file, for example resource.toml.")],
    host: Annotated[str | None, typer.Option(help="The address to listen on; loopback by default.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    workers: Annotated[int, typer.Option(min=1, help="The number of processes.")] = 1,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Answer /metrics only on this port, and nothing else there.")
    ] = None,
    metrics_host: Annotated[str | None, typer.Option(help="The address of that port; loopback by default.")] = None,
) -> None:
    """Migrate the database, and serve the API until SIGTERM."""
    configure_logging()
    options = ServeOptions(host, port, workers, metrics_host, metrics_port)
    with exit_on_misconfiguration(NAME):
        status = serve_configured(partial(_load, config), options, name=NAME)
    raise typer.Exit(status)


def _load(config: Path) -> Application:
    settings = read_settings(Settings, config, env_prefix="RESOURCE_")
    return Application(create=partial(create_app, settings), prepare=partial(_migrate_apart, settings.database_url))


def _migrate_apart(database_url: str) -> None:
    """Migrate in another process, because Alembic takes 12 MB that serving does not need. Raises SystemExit."""
    process = multiprocessing.get_context("fork").Process(target=_migrate, args=(database_url,))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def _migrate(database_url: str) -> None:
    from tallystick_service.store.migrations import migrate

    with exit_on_misconfiguration(NAME):
        migrate(database_url, "resource_service.migrations")


if __name__ == "__main__":
    cli()
