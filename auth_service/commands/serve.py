"""serve."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from auth_service.commands.apply import AllowDisable
from auth_service.commands.context import CommandContext, Config, run_with, upgrade_database
from auth_service.commands.output import NAME
from auth_service.configuration import configuration_file
from auth_service.configuration.configuration_warnings import config_warnings
from tallystick_service.server import Application, ServeOptions, serve_configured
from tallystick_service.server.logs import configure_logging
from tallystick_service.settings import exit_on_misconfiguration

_log = logging.getLogger(__name__)

Host = Annotated[str | None, typer.Option(help="Address to listen on. Default: the loopback addresses.")]
Port = Annotated[int, typer.Option(min=0, max=65535)]
MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Answer /metrics on this port alone, and nothing else there.")
]
MetricsHost = Annotated[str | None, typer.Option(help="Address of the metrics port. Default: the loopback addresses.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]


def serve(
    config: Config,
    host: Host = None,
    port: Port = 8000,
    workers: Workers = 1,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = None,
    allow_disable: AllowDisable = False,
) -> None:
    """Bring the store up to date, apply the configuration, and serve."""
    configure_logging()
    options = ServeOptions(host, port, workers, metrics_host, metrics_port)
    with exit_on_misconfiguration(NAME):
        status = serve_configured(
            partial(_load, config, workers=workers, allow_disable=allow_disable), options, name=NAME
        )
    raise typer.Exit(status)


def _load(config: Path, *, workers: int, allow_disable: bool) -> Application:
    from auth_service.main import create_app  # slow to import, and no other command needs it

    settings = configuration_file.read_config(config)

    def prepare() -> None:
        is_new = upgrade_database(settings)
        run_with(settings, partial(_apply, allow_disable=allow_disable))
        if is_new:
            _log.info("created the database %s", settings.database_url)
        for warning in config_warnings(settings):
            _log.warning("%s", warning)
        if workers > 1 and settings.database_url.startswith("sqlite"):
            _log.warning("several workers on one SQLite file are correct, but no faster than one; PostgreSQL is")
        if settings.registration.mode != "off" and not settings.registration.require_pkce:
            _log.warning("clients that register themselves need no PKCE: registration.require_pkce is false")

    return Application(create=partial(create_app, settings), prepare=prepare)


async def _apply(context: CommandContext, *, allow_disable: bool) -> None:
    await context.key_ring()
    changes = await configuration_file.apply(
        context.store, context.settings, context.clock, allow_disable=allow_disable
    )
    for change in changes:
        _log.info("applied: %s", change)
