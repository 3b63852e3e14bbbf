"""Refresh tokens against their family's row: rotation, repetition in the grace period, replay (RFC 9700 §4.14.2)."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, case, or_, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.schema.tables import login_sessions, token_families
from auth_service.store.tokens import revocations
from auth_service.store.tokens.token_families import (
    FIND_LIVE,
    IS_LIVE,
    ROLES,
    Family,
    FamilyLifetime,
    Replayed,
    family_of,
    live_at,
)
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS, LAST_SEEN_INTERVAL

# Statements of the busiest unit, composed once: to compose one takes SQLAlchemy three times as long as to execute it.
_LAST_SEEN_AT = (
    select(login_sessions.c.last_seen_at)
    .where(login_sessions.c.sid == token_families.c.sid)
    .scalar_subquery()
    .label("last_seen_at")
)
_LATEST_EXPIRY = bindparam("latest_expiry", type_=BigInteger)
_REFRESH_EXPIRES_AT = case(
    (token_families.c.expires_at < _LATEST_EXPIRY, token_families.c.expires_at), else_=_LATEST_EXPIRY
)
_ROTATE_ANY = (
    update(token_families)
    .where(
        token_families.c.family_id == bindparam("the_family"),
        token_families.c.generation == bindparam("spent"),
        token_families.c.refresh_key_version == bindparam("spent_key_version"),
        IS_LIVE,
    )
    .values(
        generation=token_families.c.generation + 1,
        rotated_at=bindparam("now"),
        refresh_expires_at=_REFRESH_EXPIRES_AT,
        prune_at=_REFRESH_EXPIRES_AT + bindparam("kept", type_=BigInteger),
        refresh_key_version=bindparam("key_version"),
    )
    .returning(*token_families.c, ROLES, _LAST_SEEN_AT)
)
_ROTATE = _ROTATE_ANY.where(token_families.c.token_secret_hash == bindparam("secret_hash", type_=LargeBinary))
_ROTATE_FIRST_FORMAT = _ROTATE_ANY.where(token_families.c.token_secret_hash.is_(None)).values(
    token_secret_hash=bindparam("new_secret_hash", type_=LargeBinary), secret_since=token_families.c.generation + 1
)

# A sign-out locks the login session first and then its families; a rotation locks its family first. Each could wait for
# the other, so a rotation skips a login session that is locked.
_NOTE_ACTIVITY = (
    update(login_sessions)
    .where(
        login_sessions.c.sid.in_(
            select(login_sessions.c.sid)
            .where(login_sessions.c.sid == bindparam("the_sid"))
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_seen_at=bindparam("seen_at"))
)

Precondition = Callable[[Family], object]
"""Raises an OAuthError for a request that the family does not allow. It only computes, and may be called twice."""


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token with a valid MAC, made with one of our keys for the client that presents it.

    `secret_hash` is the SHA-256 of its random part; None for the first format, which has none.
    """

    family_id: bytes
    generation: int
    key_version: int
    secret_hash: bytes | None


@dataclass(frozen=True)
class Successor:
    """How the next refresh token is made.

    Its MAC is made with the key `key_version`. When the presented token has no random part, the next one has a new
    random part whose SHA-256 is `secret_hash`; otherwise it keeps its own.
    """

    key_version: int
    secret_hash: bytes | None


@dataclass(frozen=True)
class Grace:
    """For `seconds` after a rotation, the spent token gets the same answer again. `only_once`: a single time."""

    seconds: int
    only_once: bool


@dataclass(frozen=True)
class Rotated:
    family: Family


@dataclass(frozen=True)
class Repeated:
    """The token that was spent last came again within the grace period.

    `family` is as the rotation left it. None: the answer was repeated before, and is not repeated once more.
    """

    family: Family | None


def rotate_refresh_token(
    connection: Connection,
    token: RefreshToken,
    precondition: Precondition,
    *,
    successor: Successor,
    grace: Grace,
    now: int,
    lifetime: FamilyLifetime,
    login_session_idle: int,
) -> Rotated | Repeated | Replayed | None:
    """Spend the current refresh token of a family: the family moves to its next generation. Times are seconds.

    Repeated: the token is one generation behind and within the grace period, so that a lost response does no harm.
    Replayed: it is further behind, or later; the family is revoked, whatever else is wrong with the request. None: no
    live family has this token. A rotation counts as activity in the login session.

    When `precondition` raises, a token that is current or within the grace period is not spent. It is a callback
    because it needs the live family, and to read that before the rotation would cost every refresh a round trip
    (docs/decisions/0034).
    """
    live = live_at(token.family_id, now=now, idle=login_session_idle)
    moved = connection.execute(
        _ROTATE if token.secret_hash else _ROTATE_FIRST_FORMAT,
        {
            **live,
            "spent": token.generation,
            "spent_key_version": token.key_version,
            "key_version": successor.key_version,
            "latest_expiry": now + lifetime.refresh_token,
            "kept": lifetime.access_token + KEEP_ENDED_SECONDS,
            **({"secret_hash": token.secret_hash} if token.secret_hash else {"new_secret_hash": successor.secret_hash}),
        },
    ).one_or_none()
    if moved is not None:
        rotated = Rotated(family_of(moved))
        precondition(rotated.family)
        if moved.last_seen_at is not None and moved.last_seen_at <= now - LAST_SEEN_INTERVAL:
            connection.execute(_NOTE_ACTIVITY, {"the_sid": moved.sid, "seen_at": now})
        return rotated

    row = connection.execute(FIND_LIVE, live).one_or_none()
    if row is None or token.generation >= row.generation or not _has_secret_of(row, token):
        return None
    if token.generation == row.generation - 1 and now - row.rotated_at <= grace.seconds:
        precondition(family_of(row))
        return _repeat(connection, row, token, successor, only_once=grace.only_once, now=now)
    has_revoked = revocations.revoke_family(connection, token.family_id, now=now)
    if has_revoked:
        _record(connection, "refresh_token_replayed", row, now=now)
    return Replayed(has_revoked)


def find_family_of_current_token(
    connection: Connection, token: RefreshToken, *, now: int, login_session_idle: int
) -> Family | None:
    """The live family whose current refresh token this is; None for a spent token."""
    row = connection.execute(FIND_LIVE, live_at(token.family_id, now=now, idle=login_session_idle)).one_or_none()
    if row is None or (row.generation, row.refresh_key_version) != (token.generation, token.key_version):
        return None
    return family_of(row) if _has_secret_of(row, token) else None


def revoke_family_of_refresh_token(connection: Connection, token: RefreshToken, *, now: int) -> bool:
    """Revoke the family of a refresh token, current or spent, that its client has sent to /revoke (RFC 7009).

    False when there is no such token, or the family had been revoked before.
    """
    row = connection.execute(select(token_families).where(token_families.c.family_id == token.family_id)).one_or_none()
    if row is None or not _has_secret_of(row, token):
        return False
    return revocations.revoke_family_on_request(connection, token.family_id, now=now)


def revoke_families_without_own_secret(connection: Connection, *, now: int) -> int:
    """Revoke the families whose refresh tokens can be computed with the refresh key alone, or could be once.

    These began before refresh tokens had a random part. Returns how many it has revoked.
    """
    return revocations.revoke_families(
        connection, or_(token_families.c.secret_since.is_(None), token_families.c.secret_since > 0), now=now
    )


def _repeat(
    connection: Connection, row: Any, token: RefreshToken, successor: Successor, *, only_once: bool, now: int
) -> Repeated:
    """Record the first repetition of this rotation.

    Without a random part in the presented token, the current token cannot be computed again: the family gets a new
    random part, which voids the first answer. So that is done once, for every kind of client.
    """
    family = family_of(row)
    values: dict[str, object] = {"repeated_generation": row.generation}
    if token.secret_hash is None:
        values["token_secret_hash"] = successor.secret_hash
    noted = connection.execute(
        update(token_families)
        .where(
            token_families.c.family_id == token.family_id,
            token_families.c.generation == row.generation,
            token_families.c.revoked_at.is_(None),
            token_families.c.repeated_generation.is_distinct_from(row.generation),
        )
        .values(**values)
    )
    if noted.rowcount:
        _record(connection, "refresh_token_repeated", row, now=now)
        return Repeated(family)
    return Repeated(None if only_once or token.secret_hash is None else family)


def _has_secret_of(row: Any, token: RefreshToken) -> bool:
    """Whether the token has the family's random part, or is of a generation that had none."""
    if token.secret_hash is None:
        return row.secret_since is None or token.generation < row.secret_since
    return row.token_secret_hash is not None and hmac.compare_digest(bytes(row.token_secret_hash), token.secret_hash)


def _record(connection: Connection, event: audit_trail.Event, row: Any, *, now: int) -> None:
    audit_trail.record(connection, event, now=now, sub=row.sub, client_id=row.client_id, sid=row.login_sid or row.sid)
