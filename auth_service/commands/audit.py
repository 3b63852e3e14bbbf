"""audit: print the audit trail."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from auth_service.commands import users
from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import note, refuse, say
from auth_service.store.audit import audit_reader
from auth_service.store.audit.audit_reader import Entry, Selection
from auth_service.store.audit.audit_trail import EVENTS, Event
from tallystick.clock import system_clock

_PAGE_SIZE = 500
"""Rows that are in memory at the same time."""
_MAX_COLUMN_WIDTH = 32
"""Characters up to which a column is padded. A longer cell shifts the rest of its own line only."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

Instant = typer.Option(
    metavar="TIME",
    help="1h (one hour ago; units s, m, h, d, w), or 2026-11-25T12:00:00 (UTC, unless it has an offset).",
)


def audit(
    config: Config,
    since: Annotated[str | None, Instant] = None,
    until: Annotated[str | None, Instant] = None,
    event: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Only this kind of event. May be repeated.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="EMAIL", help="Only events of this user.")] = None,
    client: Annotated[str | None, typer.Option(metavar="CLIENT_ID", help="Only events of this client.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10**9, help="Only the newest events, at most this many.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the audit trail, with the newest event last."""
    selection = Selection(_instant(since), _instant(until), tuple(map(_event, event or ())), client_id=client)
    if selection.since is not None and selection.until is not None and selection.since > selection.until:
        refuse("--since is later than --until")

    async def command(context: CommandContext) -> bool:
        by_user = selection if user is None else replace(selection, sub=await users.require_sub(context, user))
        has_found = False
        async for page in _pages(context, by_user, limit):
            say(*(map(_json, page) if as_json else _lines(page)))
            has_found = True
        return has_found

    if not run(config, command):
        note("nothing was found")


async def _pages(context: CommandContext, selection: Selection, limit: int | None) -> AsyncIterator[list[Entry]]:
    read = context.store.read
    after = None if limit is None else await read(audit_reader.position_before_last, selection, limit)
    while page := await read(audit_reader.read_page, selection, after, size=_PAGE_SIZE):
        yield page
        after = page[-1].position


def _event(name: str) -> Event:
    for event in EVENTS:
        if event == name:
            return event
    return refuse(f"there is no event {_cell(name)}; there are {', '.join(EVENTS)}")


def _instant(text: str | None) -> int | None:
    """Unix seconds."""
    if text is None:
        return None
    if ago := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return system_clock() - int(ago[1]) * _UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        refuse(f"{_cell(text)} is not a time; use 90m, 24h, 7d, or 2026-11-25T12:00:00")


def _json(entry: Entry) -> str:
    fields = asdict(entry) | {"at": _time(entry.at), "detail": _detail(entry)}
    return json.dumps({name: value for name, value in fields.items() if value not in (None, {})})


def _lines(page: list[Entry]) -> list[str]:
    """One line for each row, padded to columns that fit the rows of this page."""
    rows = [_columns(entry) for entry in page]
    widths = [min(_MAX_COLUMN_WIDTH, max(map(len, column))) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _columns(entry: Entry) -> tuple[str, ...]:
    more: dict[str, Any] = {"request": entry.request_id, "sid": entry.sid, **_detail(entry)}
    return (
        _time(entry.at),
        entry.event,
        _cell(entry.email or entry.sub or "-"),
        _cell(entry.client_id or "-"),
        _cell(entry.address or "-"),
        "  ".join(f"{name}={_cell(value)}" for name, value in more.items() if value is not None),
    )


def _detail(entry: Entry) -> dict[str, Any]:
    return {name: _time(value) if name == "signs_from" else value for name, value in entry.detail.items()}


def _cell(value: Any) -> str:
    """One cell. Text from unauthenticated callers must not look like another column."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if text.isprintable() and not set(' "\\').intersection(text) else json.dumps(text)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
