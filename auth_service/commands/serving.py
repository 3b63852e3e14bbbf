"""serve, plan, apply."""

import logging
from collections.abc import Collection
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from auth_service.commands.service import NAME, Config, Service, bring_up_to_date, note, run, run_with, say
from auth_service.configuration import configuration_file
from auth_service.configuration.configuration_warnings import config_warnings
from auth_service.store.configuration.reconciliation import Change
from tallystick_service.metrics import SharedCounters
from tallystick_service.server import serve as serve_app
from tallystick_service.server.logs import configure_logging
from tallystick_service.settings import exit_on_misconfiguration

_log = logging.getLogger(__name__)

Host = Annotated[str | None, typer.Option(help="Where to listen; the loopback addresses when left out.")]
Port = Annotated[int, typer.Option(min=0, max=65535)]
MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Answer /metrics on this port alone, and nothing else there.")
]
MetricsHost = Annotated[str | None, typer.Option(help="Where that port is; the loopback addresses when left out.")]
AllowDisable = Annotated[
    bool,
    typer.Option("--allow-disable", help="Also when this disables more of what was declared before than it keeps."),
]
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
    from auth_service.main import create_app  # the half of the program that no other command needs

    configure_logging()
    with exit_on_misconfiguration(NAME):
        settings = configuration_file.read_config(config)
        is_new = bring_up_to_date(settings)
        run_with(settings, partial(_prepare, allow_disable=allow_disable))
        if is_new:
            _log.info("made the database %s", settings.database_url)
        for warning in config_warnings(settings):
            _log.warning("%s", warning)
        if workers > 1 and settings.database_url.startswith("sqlite"):
            _log.warning("several workers on one SQLite file are correct, but no faster than one; PostgreSQL is")
        if settings.registration.mode != "off" and not settings.registration.require_pkce:
            _log.warning("clients that register themselves need no PKCE: registration.require_pkce is false")
        counters = SharedCounters(workers)
        status = serve_app(
            partial(create_app, settings, counters=counters, metrics_port=metrics_port),
            name=NAME,
            host=host,
            port=port,
            workers=workers,
            counters=counters,
            metrics_host=metrics_host,
            metrics_port=metrics_port,
        )
    raise typer.Exit(status)


def plan(config: Config) -> None:
    """Show what `apply` would change in the store."""
    with TemporaryDirectory() as folder:
        empty = f"sqlite:///{folder}/auth.db"
        _show(run(config, _plan, stand_in=empty))


def apply(config: Config, allow_disable: AllowDisable = False) -> None:
    """Make the store's APIs, clients and users as the configuration declares them."""
    _show(run(config, partial(_apply, allow_disable=allow_disable), may_begin=True))


async def _plan(service: Service) -> list[Change]:
    await service.check_master_key()
    changes = await configuration_file.plan(service.store, service.settings)
    _warn(service)
    if refusal := await configuration_file.refuses_to_disable(service.store, service.settings):
        note(f"{NAME}: warning: `apply` and `serve` will refuse this: {refusal}")
    return changes


async def _apply(service: Service, *, allow_disable: bool) -> list[Change]:
    changes = await configuration_file.apply(
        service.store, service.settings, service.clock, allow_disable=allow_disable
    )
    _warn(service)
    return changes


async def _prepare(service: Service, *, allow_disable: bool) -> None:
    await service.key_ring()
    applied = await configuration_file.apply(
        service.store, service.settings, service.clock, allow_disable=allow_disable
    )
    for change in applied:
        _log.info("applied: %s", change)


def _warn(service: Service) -> None:
    for warning in config_warnings(service.settings):
        note(f"{NAME}: warning: {warning}")


def _show(changes: Collection[Change]) -> None:
    say(*map(str, changes) if changes else ["nothing to change"])
