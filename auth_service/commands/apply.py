"""plan, apply."""

from collections.abc import Collection
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import NAME, note, say
from auth_service.configuration import configuration_file
from auth_service.configuration.configuration_warnings import config_warnings
from auth_service.store.configuration.reconciliation import Change

AllowDisable = Annotated[
    bool,
    typer.Option("--allow-disable", help="Apply even if this disables more declared entries than it keeps."),
]


def plan(config: Config) -> None:
    """Show what `apply` would change in the store."""
    with TemporaryDirectory() as folder:
        empty = f"sqlite:///{folder}/auth.db"
        _show(run(config, _plan, substitute_url=empty))


def apply(config: Config, allow_disable: AllowDisable = False) -> None:
    """Change the APIs, clients and users in the store to those that the configuration declares."""
    _show(run(config, partial(_apply, allow_disable=allow_disable), may_create=True))


async def _plan(context: CommandContext) -> list[Change]:
    await context.check_master_key()
    changes = await configuration_file.plan(context.store, context.settings)
    _warn(context)
    if refusal := await configuration_file.refusal_to_disable(context.store, context.settings):
        note(f"{NAME}: warning: `apply` and `serve` will refuse this: {refusal}")
    return changes


async def _apply(context: CommandContext, *, allow_disable: bool) -> list[Change]:
    changes = await configuration_file.apply(
        context.store, context.settings, context.clock, allow_disable=allow_disable
    )
    _warn(context)
    return changes


def _warn(context: CommandContext) -> None:
    for warning in config_warnings(context.settings):
        note(f"{NAME}: warning: {warning}")


def _show(changes: Collection[Change]) -> None:
    say(*map(str, changes) if changes else ["nothing to change"])
