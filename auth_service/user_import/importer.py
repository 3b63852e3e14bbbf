"""Import the users of a file in batches, each in one transaction, so that an interrupted import can be run again."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field

from auth_service.store.users import user_imports, users
from auth_service.store.users.user_imports import Outcome, Result
from auth_service.user_import.records import Record, RecordReader, Refused
from auth_service.user_import.rows import Row
from auth_service.vocabulary.password_costs import PasswordCost, cost_of
from tallystick.clock import Clock
from tallystick_service.store import Store

BATCH_SIZE = 200
"""Users in one transaction. On SQLite a running service waits for it."""

MAX_FAMILIES = 8
"""Of password costs in the store. Each failed login computes the costliest hash of each family."""


@dataclass(frozen=True)
class Reported:
    """The outcome of one row. `sub` is None for a refused row, and for a random one of a dry run."""

    number: int
    old_id: str | None
    result: Result
    sub: str | None = None
    reason: str = ""


@dataclass
class Totals:
    """`others`: rows that describe no user. `roles`, `hashes`: the number of added users with each."""

    results: Counter[Result] = field(default_factory=Counter)
    others: int = 0
    roles: Counter[str] = field(default_factory=Counter)
    hashes: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.results.total() + self.others


class Importer:
    """`report` is called once for each row of a user, in the order of the file, after its transaction was committed."""

    def __init__(self, store: Store, clock: Clock, *, dry_run: bool, report: Callable[[Reported], None]) -> None:
        self.totals = Totals()
        self._store = store
        self._clock = clock
        self._dry_run = dry_run
        self._report = report
        self._batch: list[Record | Refused] = []
        self._families: set[str] = set()

    async def run(self, rows: Iterable[Row], reader: RecordReader) -> None:
        """Raises Unreadable and StoreUnavailable. What was reported before stays imported."""
        self._families = {cost.family for cost in await self._store.read(users.password_costs)}
        with closing(_Seen()) as seen:
            for row in rows:
                record = reader.read(row)
                if record is None:
                    self.totals.others += 1
                    continue
                if isinstance(record, Record):
                    record = self._checked(record, seen)
                self._batch.append(record)
                if len(self._batch) >= BATCH_SIZE:
                    await self._write()
            await self._write()

    def _checked(self, record: Record, seen: "_Seen") -> Record | Refused:
        """Refuse a repetition within the file, and one kind of hash too many."""
        user, cost = record.user, _cost(record.user.password_hash)
        is_new_family = cost is not None and cost.family not in self._families
        reason = ""
        if is_new_family and len(self._families) >= MAX_FAMILIES:
            reason = f"has a password hash with other parameters than the {MAX_FAMILIES} kinds before it"
        elif first := seen.add(f"email {user.email_key}", record.number):
            reason = f"has the email of row {first}"
        elif user.sub is not None and (first := seen.add(f"sub {user.sub}", record.number)):
            reason = f"has the sub of row {first}"
        if reason:
            return Refused(record.number, record.old_id, reason)
        if cost is not None:
            self._families.add(cost.family)
        return record

    async def _write(self) -> None:
        batch, self._batch = self._batch, []
        records = [record for record in batch if isinstance(record, Record)]
        outcomes = iter(await self._outcomes(records) if records else [])
        for record in batch:
            if isinstance(record, Record):
                outcome = next(outcomes)
                if outcome.result == "added":
                    self._count(record)
                reported = Reported(record.number, record.old_id, outcome.result, outcome.sub, outcome.reason)
            else:
                reported = Reported(record.number, record.old_id, "refused", reason=record.reason)
            self.totals.results[reported.result] += 1
            self._report(reported)

    async def _outcomes(self, records: list[Record]) -> list[Outcome]:
        batch = [record.user for record in records]
        if self._dry_run:
            return await self._store.read(user_imports.plan_import, batch)
        return await self._store.write(user_imports.import_users, batch, now=self._clock())

    def _count(self, record: Record) -> None:
        self.totals.roles.update(record.user.roles)
        cost = _cost(record.user.password_hash)
        self.totals.hashes["no password" if cost is None else str(cost)] += 1


def _cost(password_hash: str | None) -> PasswordCost | None:
    return None if password_hash is None else cost_of(password_hash)


class _Seen:
    """Values of the rows before, in a temporary file, because a set of a million takes more than 100 MB."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE seen (value TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, value: str, number: int) -> int | None:
        """The number of the row that had this value before."""
        added = self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (value, number)).rowcount
        if added:
            return None
        (first,) = self._connection.execute("SELECT number FROM seen WHERE value = ?", (value,)).fetchone()
        return int(first)

    def close(self) -> None:
        self._connection.close()
