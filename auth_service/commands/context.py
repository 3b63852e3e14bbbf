"""The settings, store and clock that a command works with, opened before it and closed after it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from auth_service.commands.output import NAME, note, refuse
from auth_service.configuration.configuration_file import read_config
from auth_service.keys import master_key_rotation
from auth_service.keys.bootstrap import bootstrap
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.settings.settings import Settings
from auth_service.store.audit import audit_trail
from auth_service.store.keys import stored_secrets
from auth_service.store.schema import timestamps
from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tallystick.clock import Clock, system_clock
from tallystick_service.settings import Misconfigured, exit_on_misconfiguration
from tallystick_service.store import Store, Unstorable, database_exists
from tallystick_service.store.migrations import migrate

_STORE_TIMEOUT = 30.0
"""Seconds. A command has no client that would give up sooner."""

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration, tallystick.toml.")]
T = TypeVar("T")


@dataclass(frozen=True)
class CommandContext:
    """The store has the newest schema. The configuration is not applied to it. Each method raises Misconfigured."""

    settings: Settings
    store: Store
    clock: Clock

    async def key_ring(self) -> KeyRing:
        """Adds the first keys to an empty store."""
        return KeyRing.from_lifetimes(self.store, await self.master_key(), self.clock, self.settings.lifetimes)

    async def master_key(self) -> MasterKey:
        """It decrypts everything in the store. For an empty store, a missing file is created."""
        is_new = not await self.store.read(stored_secrets.load_secrets)
        with _master_key_errors():
            master_key = MasterKey.load(self.settings.master_key, may_create=is_new)
            await bootstrap(
                self.store, master_key, self.clock, keep_published=self.settings.lifetimes.signing_key_after
            )
        return master_key

    async def check_master_key(self) -> None:
        """Check that `master_key()` will succeed, and create nothing."""
        source = self.settings.master_key
        if MasterKey.is_missing_file(source) and not await self.store.read(stored_secrets.load_secrets):
            return
        with _master_key_errors():
            await master_key_rotation.active_master_key(self.store, MasterKey.load(source, may_create=False))


@contextmanager
def _master_key_errors() -> Iterator[None]:
    """Raises Misconfigured for what MasterKey raises."""
    try:
        yield
    except ValueError as reason:
        raise Misconfigured(str(reason)) from None
    except WrongMasterKey as reason:
        raise Misconfigured(f"master_key: not the one that the store was encrypted with ({reason})") from None


def run(
    config: Path,
    command: Callable[[CommandContext], Awaitable[T]],
    *,
    may_create: bool = False,
    substitute_url: str | None = None,
) -> T:
    """Run `command` with the configuration in `config`. Misconfiguration ends the program with status 2.

    A missing database is misconfiguration, unless `may_create`: then it is created, and a note says so. With a
    `substitute_url`, that database is used instead of a missing one.
    """

    async def as_actor(context: CommandContext) -> T:
        audit_trail.actor.set("command")
        return await command(context)

    # An error of the store ends the command with one line, so it is not logged as well.
    logging.getLogger("tallystick_service.store").addHandler(logging.NullHandler())
    with exit_on_misconfiguration(NAME):
        try:
            settings = read_config(config)
            if not (may_create or database_exists(settings.database_url)):
                if substitute_url is None:
                    raise Misconfigured("database_url: there is no such database yet; `serve` creates it")
                note(f"{NAME}: there is no database {settings.database_url} yet; `serve` creates it")
                settings = settings.model_copy(update={"database_url": substitute_url})
            if upgrade_database(settings) and may_create:
                note(f"{NAME}: created the database {settings.database_url}")
            return run_with(settings, as_actor)
        except Unstorable as reason:  # an argument that is not valid text
            refuse(str(reason))


def upgrade_database(settings: Settings) -> bool:
    """Give the database the newest schema, and return whether it was created. Raises StoreUnavailable."""
    is_new = not database_exists(settings.database_url)
    migrate(settings.database_url, "auth_service.migrations")
    return is_new


def run_with(settings: Settings, command: Callable[[CommandContext], Awaitable[T]]) -> T:
    """Run `command` on a store with the newest schema, in an event loop of its own.

    Raises Misconfigured and StoreUnavailable.
    """

    async def open_and_run() -> T:
        store = Store.open(
            settings.database_url,
            pool_size=1,
            deadline=_STORE_TIMEOUT,
            options={audit_trail.RETENTION: settings.audit.retention},
        )
        try:
            clock = NonDecreasingClock(system_clock)
            clock.observe(await store.read(timestamps.latest_timestamp))
            return await command(CommandContext(settings, store, clock))
        finally:
            await store.close()

    return asyncio.run(open_and_run())
