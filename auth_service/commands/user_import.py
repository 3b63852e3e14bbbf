"""user import."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, BinaryIO, TextIO

import typer

from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import NAME, note, refuse, say
from auth_service.user_import.importer import Importer, Reported, Totals
from auth_service.user_import.records import RecordReader, check_columns
from auth_service.user_import.rows import Unreadable, read_rows
from tallystick.errors import TemporarilyUnavailable

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Django's dumpdata, JSON lines, a JSON array, or CSV with a header line."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check everything, and change nothing.")]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write the outcome of every row as JSON lines: row, id, result, sub."
    ),
]
Model = Annotated[str | None, typer.Option("--model", metavar="APP.MODEL", help="The Django model of the users.")]
EmailField = Annotated[str, typer.Option("--email-field", metavar="FIELD", help="Its field with the email.")]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="FIELD", help="Leave out a column or JSON member that is unknown here."),
]
KeepIds = Annotated[bool, typer.Option("--keep-ids", help="Use the old primary key as `sub`.")]
StaffRole = Annotated[str | None, typer.Option("--staff-role", metavar="ROLE", help="For Django's is_staff.")]
SuperuserRole = Annotated[
    str | None, typer.Option("--superuser-role", metavar="ROLE", help="For Django's is_superuser.")
]

_TERMINAL_SECONDS = 0.2
_LINE_SECONDS = 10.0
"""Between two lines of progress, when standard error is no terminal."""
_MAX_SHOWN = 20
"""Roles and kinds of hashes in the summary."""


def import_users(
    file: File,
    config: Config,
    dry_run: DryRun = False,
    report: Report = None,
    model: Model = None,
    email_field: EmailField = "email",
    ignore: Ignore = None,
    keep_ids: KeepIds = False,
    staff_role: StaffRole = None,
    superuser_role: SuperuserRole = None,
) -> None:
    """Import users of another system with their password hashes. Status 1 when a row was refused.

    Users who exist are not changed, so an interrupted import continues when it is run again.
    """
    reader = RecordReader(model, email_field, ignore or (), keep_ids, staff_role, superuser_role)
    with TemporaryDirectory() as folder, _opened(file) as source, _report_to(report, file) as write:
        command = partial(_import, source=source, reader=reader, dry_run=dry_run, write=write)
        substitute = f"sqlite:///{folder}/auth.db" if dry_run else None
        totals, reason = run(config, command, may_create=not dry_run, substitute_url=substitute)
    _summarize(totals, dry_run=dry_run, is_complete=not reason)
    if reason:
        refuse(f"{file} {reason}")
    if totals.results["refused"]:
        raise typer.Exit(1)


async def _import(
    context: CommandContext,
    *,
    source: BinaryIO,
    reader: RecordReader,
    dry_run: bool,
    write: Callable[[Reported], None],
) -> tuple[Totals, str]:
    """The totals, and the reason why the rest of the file cannot be read."""
    progress = _Progress(source)

    def report(reported: Reported) -> None:
        write(reported)
        progress.show(importer.totals.rows)

    importer = Importer(context.store, context.clock, dry_run=dry_run, report=report)
    try:
        await importer.run(read_rows(source, partial(check_columns, ignored=reader.ignored)), reader)
    except Unreadable as reason:
        return importer.totals, str(reason)
    except (TemporarilyUnavailable, asyncio.CancelledError):
        progress.end()
        note(f"{NAME}: stopped after {importer.totals.rows} rows; the same command continues after them")
        raise
    finally:
        progress.end()
    return importer.totals, ""


class _Progress:
    """A line on standard error that is written over on a terminal, and one every _LINE_SECONDS elsewhere."""

    def __init__(self, source: BinaryIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._size = max(1, os.fstat(source.fileno()).st_size)
        self._clock = clock
        self._is_terminal = sys.stderr.isatty()
        self._interval = _TERMINAL_SECONDS if self._is_terminal else _LINE_SECONDS
        self._next = clock() + self._interval
        self._is_shown = False

    def show(self, rows: int) -> None:
        if self._clock() < self._next:
            return
        self._next = self._clock() + self._interval
        line = f"{rows} rows, {100 * self._source.tell() // self._size} % of the file"
        typer.echo(f"\r{line}" if self._is_terminal else line, err=True, nl=not self._is_terminal)
        self._is_shown = True

    def end(self) -> None:
        if self._is_shown and self._is_terminal:
            typer.echo(err=True)
        self._is_shown = False


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        source = file.open("rb")
    except (OSError, ValueError) as failure:
        refuse(f"{file} cannot be read ({type(failure).__name__})")
    with source:
        if not source.seekable():
            refuse(f"{file} is not a regular file")
        yield source


@contextmanager
def _report_to(report: Path | None, file: Path) -> Iterator[Callable[[Reported], None]]:
    """Without a report, refused rows are printed."""
    if report is None:
        yield _say_refusal
        return
    try:
        if report.exists() and report.samefile(file):
            refuse("the report would replace the file of users")
        # Only the operator may read which old identifier belongs to which sub.
        descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except (OSError, ValueError) as failure:
        refuse(f"{report} cannot be written ({type(failure).__name__})")
    # Each line is written at once, so that an interrupted import leaves a report of all that it committed.
    with os.fdopen(descriptor, "w", encoding="utf-8", buffering=1) as target:
        yield partial(_write_line, target)


def _write_line(target: TextIO, reported: Reported) -> None:
    facts = {
        "row": reported.number,
        "id": reported.old_id,
        "result": reported.result,
        "sub": reported.sub,
        "reason": reported.reason or None,
    }
    try:
        target.write(json.dumps({name: value for name, value in facts.items() if value is not None}) + "\n")
    except OSError as failure:
        refuse(f"the report cannot be written ({type(failure).__name__})")


def _say_refusal(reported: Reported) -> None:
    if reported.result == "refused":
        say(f"row {reported.number} {reported.reason}")


def _summarize(totals: Totals, *, dry_run: bool, is_complete: bool) -> None:
    results = totals.results
    say(
        f"{'would add' if dry_run else 'added'} {results['added']} users; "
        f"imported before: {results['imported_before']}; existing: {results['exists']}; "
        f"refused: {results['refused']}; rows of other models: {totals.others}"
    )
    for title, counter in (("roles", totals.roles), ("password hashes", totals.hashes)):
        if counter:
            shown = [f"{name} ({number})" for name, number in counter.most_common(_MAX_SHOWN)]
            say(f"{title}: {', '.join(shown)}{', and others' if len(counter) > _MAX_SHOWN else ''}")
    if is_complete and not results and totals.others:
        say("no row describes a user; --model names the Django model of the users")
