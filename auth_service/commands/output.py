"""The output of a command: its result on standard output, notes and refusals on standard error."""

import errno
from typing import NoReturn

import typer

from tallystick_service.settings import printable

NAME = "auth service"


def say(*lines: str) -> None:
    """Print each line of the command's result, without characters that a terminal would interpret."""
    try:
        typer.echo("\n".join(map(printable, lines)))
    except OSError as failure:  # typer handles a closed pipe itself
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        refuse("the command ran, but no space is left for its output")


def note(text: str) -> None:
    """Print one line on standard error."""
    typer.echo(printable(text), err=True)


def refuse(reason: str) -> NoReturn:
    """End the program with status 1, and print one line with the reason."""
    note(f"{NAME}: {reason}")
    raise typer.Exit(1)
