"""What every command works on, opened for it and closed behind it."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

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
from tallystick_service.settings import Misconfigured, exit_on_misconfiguration, printable
from tallystick_service.store import Store, Unstorable, database_exists
from tallystick_service.store.migrations import migrate

NAME = "auth service"
_PATIENCE = 30.0
"""Seconds that a command waits for the store: there is no client that would give up sooner."""

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration, tallystick.toml.")]
T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """The store has the newest schema; nothing has been applied to it."""

    settings: Settings
    store: Store
    clock: Clock

    async def key_ring(self) -> KeyRing:
        """With a first key. Raises Misconfigured."""
        return KeyRing.from_lifetimes(self.store, await self.master_key(), self.clock, self.settings.lifetimes)

    async def master_key(self) -> MasterKey:
        """It opens all that is sealed, and is made if nothing ever was. Raises Misconfigured."""
        is_new = not await self.store.read(stored_secrets.load_secrets)
        with _or_misconfigured():
            master_key = MasterKey.load(self.settings.master_key, may_create=is_new)
            await bootstrap(
                self.store, master_key, self.clock, keep_published=self.settings.lifetimes.signing_key_after
            )
        return master_key

    async def check_master_key(self) -> None:
        """That `master_key()` will succeed, without making anything. Raises Misconfigured."""
        if MasterKey.is_missing_file(self.settings.master_key) and not await self.store.read(
            stored_secrets.load_secrets
        ):
            return
        with _or_misconfigured():
            await master_key_rotation.active_master_key(
                self.store, MasterKey.load(self.settings.master_key, may_create=False)
            )


@contextmanager
def _or_misconfigured() -> Iterator[None]:
    try:
        yield
    except ValueError as reason:
        raise Misconfigured(str(reason)) from None
    except WrongMasterKey as reason:
        raise Misconfigured(f"master_key: not the one that the store was encrypted with ({reason})") from None


def run(
    config: Path,
    command: Callable[[Service], Awaitable[T]],
    *,
    may_begin: bool = False,
    stand_in: str | None = None,
) -> T:
    """Do `command` on the service that `config` describes. Misconfiguration ends the program with status 2.

    With `may_begin` also on one that has no database yet, which is said; or, if there is none, on that at the URL
    `stand_in`. For the others a database that is not there is a mistake, and no reason to make one.
    """

    async def by_command(service: Service) -> T:
        audit_trail.actor.set("command")
        return await command(service)

    # What the store has to say is said when the command ends by it, and not before that in a line of the log as well.
    logging.getLogger("tallystick_service.store").addHandler(logging.NullHandler())
    with exit_on_misconfiguration(NAME):
        try:
            settings = read_config(config)
            if not (may_begin or database_exists(settings.database_url)):
                if stand_in is None:
                    raise Misconfigured("database_url: there is no such database yet; `serve` makes it")
                note(f"{NAME}: there is no database {settings.database_url} yet; `serve` makes it")
                settings = settings.model_copy(update={"database_url": stand_in})
            if bring_up_to_date(settings) and may_begin:
                note(f"{NAME}: made the database {settings.database_url}")
            return run_with(settings, by_command)
        except Unstorable as reason:  # a name from the command line, in no encoding of text
            refuse(str(reason))


def bring_up_to_date(settings: Settings) -> bool:
    """Give the database the newest schema; whether it had to be made for that. Raises StoreUnavailable."""
    is_new = not database_exists(settings.database_url)
    migrate(settings.database_url, "auth_service.migrations")
    return is_new


def run_with(settings: Settings, command: Callable[[Service], Awaitable[T]]) -> T:
    """On a store that is up to date. Leaves neither threads nor connections behind.

    Raises Misconfigured and StoreUnavailable.
    """

    async def open_and_do() -> T:
        store = Store.open(
            settings.database_url,
            pool_size=1,
            deadline=_PATIENCE,
            options={audit_trail.RETENTION: settings.audit.retention},
        )
        try:
            clock = NonDecreasingClock(system_clock)
            clock.note(await store.read(timestamps.latest_timestamp))
            return await command(Service(settings, store, clock))
        finally:
            await store.close()

    return asyncio.run(open_and_do())


def say(*lines: str) -> None:
    """Print the command's result on standard output, each of `lines` as one line that a terminal only displays."""
    try:
        typer.echo("\n".join(map(printable, lines)))
    except OSError as failure:  # typer knows a pipe that was closed
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        refuse("the command ran, but no space is left for its output")


def note(text: str) -> None:
    """Print one line beside the result, on standard error."""
    typer.echo(printable(text), err=True)


def refuse(reason: str) -> NoReturn:
    """End the program with status 1 and one line that says why."""
    note(f"{NAME}: {reason}")
    raise typer.Exit(1)
