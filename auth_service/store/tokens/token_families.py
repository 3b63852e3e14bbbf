"""Token families: all tokens that one redeemed code gave, or that one client got for itself.

A family is live, expired or revoked, and so are its tokens. No row is written per access token.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from auth_service.store.schema.tables import clients, login_sessions, token_families, users
from auth_service.store.tokens.authorization import Authorization
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import prune

# Statements of the busiest units, composed once: to compose one takes SQLAlchemy three times as long as to execute it.
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
_USER_ROLES = select(users.c.roles).where(users.c.sub == bindparam("the_sub"))
_INSERT = insert(token_families)


@dataclass(frozen=True)
class Family:
    """A token family, as tokens are made from it."""

    family_id: bytes
    authorization: Authorization
    roles: list[str]
    """The user's, as they are now."""
    status_index: int | None
    generation: int
    refresh_expires_at: int
    refresh_key_version: int
    """The version of the refresh key that made the MAC of the current refresh token."""


@dataclass(frozen=True)
class FamilyLifetime:
    """Seconds. `refresh_token` counts from the last rotation, `family` from the beginning of the family."""

    refresh_token: int
    family: int
    access_token: int

    def without_refresh_token(self) -> "FamilyLifetime":
        """For a family that ends with its only access token."""
        return FamilyLifetime(self.access_token, self.access_token, self.access_token)


@dataclass(frozen=True)
class RefreshSecret:
    """The secret inputs of the refresh tokens of a new family.

    `secret_hash` is the SHA-256 of the random part that all of them contain. `key_version` names the refresh key for
    the MAC of the first one.
    """

    secret_hash: bytes
    key_version: int


NO_REFRESH_TOKEN = RefreshSecret(b"", 0)
"""For a family without refresh tokens: no random part has an empty hash."""


@dataclass(frozen=True)
class Replayed:
    """A code or refresh token was used again after it had been spent. Its family is revoked, and that is committed.

    `has_revoked` is False when the family had been revoked before this replay.
    """

    has_revoked: bool


class StatusIndexTaken(TemporarilyUnavailable):
    """Another family has the status index: two processes reserved one block, because a clock is wrong.

    The unit has done nothing.
    """


def begin_family(
    connection: Connection,
    family_id: bytes,
    authorization: Authorization,
    *,
    status_index: int,
    refresh_secret: RefreshSecret,
    now: int,
    lifetime: FamilyLifetime,
) -> Family:
    """Insert a family at generation 0. The caller has locked its owners in this unit, and all are active.

    `family_id` is 16 random bytes; `status_index` is reserved for it. Raises StatusIndexTaken.
    """
    expires_at = now + lifetime.family
    refresh_expires_at = min(now + lifetime.refresh_token, expires_at)
    try:
        connection.execute(
            _INSERT,
            {
                "family_id": family_id,
                "client_id": authorization.client_id,
                "sub": authorization.sub,
                "sid": authorization.session_bound_sid,
                "login_sid": authorization.sid,
                "scope": authorization.scope,
                "resources": authorization.resources,
                "claims": authorization.claims,
                "auth_time": authorization.auth_time,
                "acr": authorization.acr,
                "generation": 0,
                "rotated_at": now,
                "refresh_expires_at": refresh_expires_at,
                "expires_at": expires_at,
                "prune_at": refresh_expires_at + lifetime.access_token + KEEP_ENDED_SECONDS,
                "status_index": status_index,
                "token_secret_hash": refresh_secret.secret_hash,
                "secret_since": 0,
                "refresh_key_version": refresh_secret.key_version,
            },
        )
    except IntegrityError as error:
        raise _taken_or(error) from error
    roles = []
    if authorization.sub is not None:
        roles = connection.execute(_USER_ROLES, {"the_sub": authorization.sub}).scalar_one()
    # Last: it locks the rows that it deletes in no fixed order, so the unit must not wait for a lock after it.
    prune(connection, token_families.c.prune_at, now=now)
    return Family(
        family_id=family_id,
        authorization=authorization,
        roles=roles,
        status_index=status_index,
        generation=0,
        refresh_expires_at=refresh_expires_at,
        refresh_key_version=refresh_secret.key_version,
    )


def find_family(connection: Connection, family_id: bytes) -> Family | None:
    """The family, also a revoked or expired one."""
    row = connection.execute(_FIND, {"the_family": family_id}).one_or_none()
    return None if row is None else family_of(row)


def find_live_family(connection: Connection, family_id: bytes, *, now: int, login_session_idle: int) -> Family | None:
    """The family if it is live: neither revoked nor expired, and its client, user and login session are active.

    `login_session_idle` is the seconds after which an idle login session ends.
    """
    row = connection.execute(FIND_LIVE, live_at(family_id, now=now, idle=login_session_idle)).one_or_none()
    return None if row is None else family_of(row)


def live_at(family_id: bytes, *, now: int, idle: int) -> dict[str, object]:
    """The parameters of FIND_LIVE and IS_LIVE."""
    return {"the_family": family_id, "now": now, "seen_since": now - idle}


def give_status_index(connection: Connection, family_id: bytes, status_index: int) -> int | None:
    """Give an index to a family that has none, and return the one that it has now. None: it is deleted or revoked.

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
    """StatusIndexTaken for a violation of the status index's uniqueness; any other violation is a defect of ours."""
    if token_families.c.status_index.name in str(error.orig):  # SQLite names the column, PostgreSQL the index
        return StatusIndexTaken("the status index belongs to another token family")
    return error


def family_of(row: Any) -> Family:
    """A family from a row of the table, which also has the user's `roles`."""
    return Family(
        family_id=bytes(row.family_id),
        authorization=Authorization(
            client_id=row.client_id,
            sub=row.sub,
            sid=row.login_sid or row.sid,  # families from before the column `login_sid` have only `sid`
            scope=row.scope,
            resources=row.resources,
            claims=row.claims,
            auth_time=row.auth_time,
            acr=row.acr,
        ),
        roles=row.roles or [],
        status_index=row.status_index,
        generation=row.generation,
        refresh_expires_at=row.refresh_expires_at,
        refresh_key_version=row.refresh_key_version,
    )
