"""The token family: all that one redeemed code gave, or one client acting for itself. It is what lives and dies."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from auth_service.store.schema.tables import clients, login_sessions, token_families, users
from auth_service.store.tokens.revocations import KEEP_DEAD
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import prune

# Statements of the busiest units, made once: putting one together takes SQLAlchemy three times as long as running it.
ROLES = select(users.c.roles).where(users.c.sub == token_families.c.sub).scalar_subquery().label("roles")
_SESSION_IS_LIVE = (
    select(login_sessions.c.sid)
    .where(
        login_sessions.c.sid == token_families.c.sid,
        login_sessions.c.ended_at.is_(None),
        login_sessions.c.expires_at > bindparam("now"),
        login_sessions.c.last_seen_at > bindparam("seen_since"),
    )
    .exists()
)
_USER_IS_LIVE = select(users.c.sub).where(users.c.sub == token_families.c.sub, users.c.disabled_at.is_(None)).exists()
_CLIENT_IS_LIVE = (
    select(clients.c.client_id)
    .where(clients.c.client_id == token_families.c.client_id, clients.c.disabled_at.is_(None))
    .exists()
)
IS_LIVE = and_(
    token_families.c.revoked_at.is_(None),
    token_families.c.refresh_expires_at > bindparam("now"),
    or_(token_families.c.sid.is_(None), _SESSION_IS_LIVE),
    or_(token_families.c.sub.is_(None), _USER_IS_LIVE),
    _CLIENT_IS_LIVE,
)
_FIND = select(*token_families.c, ROLES).where(token_families.c.family_id == bindparam("the_family"))
FIND_LIVE = _FIND.where(IS_LIVE)


@dataclass(frozen=True)
class Family:
    """A live token family as the tokens need it. It dies with the login session `sid`; `login_sid` is only a name."""

    family_id: bytes
    client_id: str
    sub: str | None
    sid: str | None
    login_sid: str | None
    scope: str
    resources: list[str]
    claims: dict[str, Any] | None
    auth_time: int | None
    acr: str | None
    generation: int
    refresh_expires_at: int
    roles: list[str]
    status_index: int | None
    refresh_key_version: int
    """Of the key that made the MAC of the current refresh token."""


@dataclass(frozen=True)
class FamilyLifetime:
    """Seconds. `refresh_token` is counted from the last rotation, `family` from the beginning."""

    refresh_token: int
    family: int
    access_token: int

    def without_refresh_token(self) -> "FamilyLifetime":
        """Of a family that ends with its one access token."""
        return FamilyLifetime(self.access_token, self.access_token, self.access_token)


@dataclass(frozen=True)
class RefreshSecret:
    """What a family's refresh tokens are made with, besides its public values.

    `secret_hash` is the SHA-256 of the random part that all of them carry, and `key_version` names the key of the first
    one's MAC.
    """

    secret_hash: bytes
    key_version: int


NO_REFRESH_TOKEN = RefreshSecret(b"", 0)
"""For a family that has no refresh token: no random part has an empty hash."""


@dataclass(frozen=True)
class Replayed:
    """A code or refresh token that was spent before came back; the family is revoked, and that is committed.
    `has_ended` is False when the family had been revoked before."""

    has_ended: bool


class StatusIndexTaken(TemporarilyUnavailable):
    """Two processes thought that a block of indexes was theirs: a clock was far wrong. Nothing has been done."""


def begin(
    connection: Connection,
    family_id: bytes,
    *,
    client_id: str,
    sub: str | None,
    sid: str | None,
    login_sid: str | None,
    scope: str,
    resources: list[str],
    claims: dict[str, Any] | None,
    auth_time: int | None,
    acr: str | None,
    status_index: int,
    refresh_secret: RefreshSecret,
    now: int,
    lifetime: FamilyLifetime,
) -> Family:
    """Open a family at generation 0. The caller has made sure, in this unit, that its parents are alive.

    `status_index` is reserved for it. Raises StatusIndexTaken when another family has it all the same.
    """
    prune(connection, token_families.c.prune_at, now=now)
    expires_at = now + lifetime.family
    refresh_expires_at = min(now + lifetime.refresh_token, expires_at)
    try:
        connection.execute(
            insert(token_families).values(
                family_id=family_id,
                client_id=client_id,
                sub=sub,
                sid=sid,
                login_sid=login_sid,
                scope=scope,
                resources=resources,
                claims=claims,
                auth_time=auth_time,
                acr=acr,
                generation=0,
                rotated_at=now,
                refresh_expires_at=refresh_expires_at,
                expires_at=expires_at,
                prune_at=refresh_expires_at + lifetime.access_token + KEEP_DEAD,
                status_index=status_index,
                token_secret_hash=refresh_secret.secret_hash,
                secret_since=0,
                refresh_key_version=refresh_secret.key_version,
            )
        )
    except IntegrityError as error:
        raise _taken_or(error) from error
    roles = connection.execute(select(users.c.roles).where(users.c.sub == sub)).scalar_one() if sub else []
    return Family(
        family_id,
        client_id,
        sub,
        sid,
        login_sid,
        scope,
        resources,
        claims,
        auth_time,
        acr,
        0,
        refresh_expires_at,
        roles,
        status_index,
        refresh_secret.key_version,
    )


def find(connection: Connection, family_id: bytes) -> Family | None:
    """The family as it was begun, alive or not."""
    row = connection.execute(_FIND, {"the_family": family_id}).one_or_none()
    return None if row is None else family_of(row)


def find_live(connection: Connection, family_id: bytes, *, now: int, login_session_idle: int) -> Family | None:
    """The family if it lives, with all that is above it."""
    alive = {"the_family": family_id, "now": now, "seen_since": now - login_session_idle}
    row = connection.execute(FIND_LIVE, alive).one_or_none()
    return None if row is None else family_of(row)


def give_status_index(connection: Connection, family_id: bytes, status_index: int) -> int | None:
    """For a family that began before there were any; returns the one it has now. None: it is gone, or revoked.

    Raises StatusIndexTaken.
    """
    try:
        found = connection.execute(
            update(token_families)
            .where(token_families.c.family_id == family_id, token_families.c.revoked_at.is_(None))
            .values(status_index=func.coalesce(token_families.c.status_index, status_index))
            .returning(token_families.c.status_index)
        )
    except IntegrityError as error:
        raise _taken_or(error) from error
    return found.scalar_one_or_none()


def _taken_or(error: IntegrityError) -> Exception:
    """What a violated constraint means: that on status indexes a clock that is wrong, any other a mistake of ours."""
    if token_families.c.status_index.name in str(error.orig):  # SQLite names the column, PostgreSQL the index
        return StatusIndexTaken("the status index belongs to another token family")
    return error


def family_of(row: Any) -> Family:
    """From a row of the table, with the user's `roles` beside."""
    return Family(
        family_id=bytes(row.family_id),
        client_id=row.client_id,
        sub=row.sub,
        sid=row.sid,
        login_sid=row.login_sid or row.sid,  # before the column was there, the families of a login had the sid alone
        scope=row.scope,
        resources=row.resources,
        claims=row.claims,
        auth_time=row.auth_time,
        acr=row.acr,
        generation=row.generation,
        refresh_expires_at=row.refresh_expires_at,
        roles=row.roles or [],
        status_index=row.status_index,
        refresh_key_version=row.refresh_key_version,
    )
