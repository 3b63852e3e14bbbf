"""The units of work that import users of another system, many in one transaction."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import Facts
from auth_service.store.schema.tables import clients, users
from auth_service.store.users.users import password_values

ORIGIN = "import"
_ATTEMPTS = 3

Result = Literal["added", "imported_before", "exists", "refused"]


@dataclass(frozen=True)
class NewUser:
    """`email_key` belongs to `email`. `sub` None: a random one is assigned."""

    email: str
    email_key: str
    password_hash: str | None
    claims: dict[str, Any]
    roles: list[str]
    sub: str | None
    is_disabled: bool


@dataclass(frozen=True)
class Outcome:
    """`imported_before`: an import added the user. `exists`: the user was added in another way. Neither is changed,
    and `sub` is theirs. `refused`: `reason` says why. In a dry run, the random `sub` of an added user is None.
    """

    result: Result
    sub: str | None = None
    reason: str = ""


def plan_import(connection: Connection, batch: Sequence[NewUser]) -> list[Outcome]:
    """The outcomes of `import_users`, without a change. No two users of `batch` have the same email or `sub`."""
    keys = [user.email_key for user in batch]
    subs = [user.sub for user in batch if user.sub is not None]
    columns = (users.c.email_key, users.c.sub, users.c.origin)
    existing = {row.email_key: row for row in connection.execute(select(*columns).where(users.c.email_key.in_(keys)))}
    taken = set(connection.execute(select(users.c.sub).where(users.c.sub.in_(subs))).scalars()) if subs else set()
    client_ids = (
        set(connection.execute(select(clients.c.client_id).where(clients.c.client_id.in_(subs))).scalars())
        if subs
        else set()
    )
    outcomes = []
    for user in batch:
        row = existing.get(user.email_key)
        if row is not None and user.sub not in (None, row.sub):
            outcomes.append(Outcome("refused", reason="has the email of a user with another sub"))
        elif row is not None:
            outcomes.append(Outcome("imported_before" if row.origin == ORIGIN else "exists", row.sub))
        elif user.sub in taken:
            outcomes.append(Outcome("refused", reason="has the sub of another user"))
        elif user.sub in client_ids:
            outcomes.append(Outcome("refused", reason="has a sub that is a client_id"))
        else:
            outcomes.append(Outcome("added", user.sub))
    return outcomes


def import_users(connection: Connection, batch: Sequence[NewUser], *, now: int) -> list[Outcome]:
    """Add the users of `batch` that do not exist. One outcome for each, in the same order."""
    for _ in range(_ATTEMPTS):
        outcomes = [
            Outcome("added", outcome.sub or secrets.token_urlsafe(16)) if outcome.result == "added" else outcome
            for outcome in plan_import(connection, batch)
        ]
        added = [(user, outcome) for user, outcome in zip(batch, outcomes, strict=True) if outcome.result == "added"]
        if not added:
            return outcomes
        try:
            with connection.begin_nested():
                connection.execute(insert(users), [_values(user, outcome.sub, now) for user, outcome in added])
        except IntegrityError:  # another process added one of them meanwhile
            continue
        facts = [Facts(outcome.sub, detail={"disabled": user.is_disabled or None}) for user, outcome in added]
        audit_trail.record_all(connection, "user_added", facts, now=now, by=ORIGIN)
        return outcomes
    return [Outcome("refused", reason="was changed by another process at the same time") for _ in batch]


def _values(user: NewUser, sub: str | None, now: int) -> dict[str, Any]:
    return {
        "sub": sub,
        "email": user.email,
        "email_key": user.email_key,
        **password_values(user.password_hash),
        "claims": user.claims,
        "roles": user.roles,
        "origin": ORIGIN,
        "created_at": now,
        "updated_at": now,
        "disabled_at": now if user.is_disabled else None,
        "disabled_by": "command" if user.is_disabled else None,  # a configuration file does not enable the user
    }
