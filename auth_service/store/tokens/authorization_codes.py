"""Authorization codes (RFC 6749 §4.1.2): stored by /authorize, redeemed once at /token.

A code is 256 random bits. The store has its SHA-256.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.clients import clients
from auth_service.store.clients.clients import Client
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import authorization_codes, consents
from auth_service.store.tokens import revocations, token_families
from auth_service.store.tokens.authorization import Authorization
from auth_service.store.tokens.owners import lock_active_login, lock_active_owners
from auth_service.store.tokens.token_families import Family, FamilyLifetime, RefreshSecret, Replayed
from tallystick_service.store import prune

KEEP_SPENT_SECONDS = 86_400
"""How long a redeemed or expired code is kept after its expiry, so that a replay is recognized."""

_INSERT = insert(authorization_codes)
_FIND = select(authorization_codes).where(authorization_codes.c.code_hash == bindparam("the_code"))
_CONSENT = select(consents.c.scope).where(
    consents.c.sub == bindparam("the_sub"), consents.c.client_id == bindparam("the_client")
)
_REDEEM = (
    update(authorization_codes)
    .where(
        authorization_codes.c.code_hash == bindparam("the_code"),
        authorization_codes.c.redeemed_at.is_(None),
        authorization_codes.c.expires_at > bindparam("now"),
    )
    .values(redeemed_at=bindparam("now"), family_id=bindparam("for_family"))
    .returning(*authorization_codes.c)
)


@dataclass(frozen=True)
class AuthorizationCode:
    """An authorization, and the parameters of its request that the token request must match."""

    authorization: Authorization
    redirect_uri: str
    nonce: str | None
    code_challenge: str | None
    expires_at: int
    redeemed_at: int | None = None


class NotIssued(Enum):
    """The reason why a code was not stored: a condition of the decision to issue it has changed."""

    CLIENT_CHANGED = auto()
    LOGIN_ENDED = auto()
    CONSENT_WITHDRAWN = auto()


def store_code(
    connection: Connection,
    code_hash: bytes,
    code: AuthorizationCode,
    *,
    client: Client,
    needs_consent_to: frozenset[str],
    now: int,
) -> NotIssued | None:
    """Store a code. None when it was stored, else the reason why not; nothing has been written then.

    This unit checks the earlier decision again, under the locks that changes take: `client` is still as it was
    when the request was judged, the user and the login session are active, and the stored consent covers
    `needs_consent_to`, which is empty when the decision does not rest on a stored consent.

    A client that registered itself is kept from its first code on. A client with a backchannel_logout_uri gets a logout
    token when the login session ends (Back-Channel Logout §2.3).
    """
    authorization = code.authorization
    client_id, sub, sid = authorization.client_id, authorization.sub, authorization.sid
    if client.is_unused:
        clients.mark_used(connection, client_id)  # first: locks the row for update, which a shared lock cannot become
    if not clients.lock_unchanged(connection, client):
        return NotIssued.CLIENT_CHANGED
    if not lock_active_login(connection, sub=sub, sid=sid, now=now):
        return NotIssued.LOGIN_ENDED
    if needs_consent_to:  # read after the user's row is locked, because a withdrawal locks that row, too
        names = {"the_sub": sub, "the_client": client_id}
        scope = connection.execute(_CONSENT, names).scalar_one_or_none() or ""
        if not needs_consent_to <= frozenset(scope.split()):
            return NotIssued.CONSENT_WITHDRAWN
    connection.execute(
        _INSERT,
        {
            "code_hash": code_hash,
            "client_id": client_id,
            "sub": sub,
            "sid": sid,
            "redirect_uri": code.redirect_uri,
            "scope": authorization.scope,
            "resources": authorization.resources,
            "nonce": code.nonce,
            "code_challenge": code.code_challenge,
            "claims": authorization.claims,
            "auth_time": authorization.auth_time,
            "acr": authorization.acr,
            "expires_at": code.expires_at,
            "prune_at": code.expires_at + KEEP_SPENT_SECONDS,
        },
    )
    if client.backchannel_logout_uri is not None and sid is not None:
        logout_deliveries.remember_client(connection, sid, client_id)
    # Last: it locks the rows that it deletes in no fixed order, so the unit must not wait for a lock after it.
    prune(connection, authorization_codes.c.prune_at, now=now)
    return None


def find_code(connection: Connection, code_hash: bytes) -> AuthorizationCode | None:
    """The code as it was issued, redeemed or not."""
    row = connection.execute(_FIND, {"the_code": code_hash}).one_or_none()
    return None if row is None else _code(row)


def redeem_code(
    connection: Connection,
    code_hash: bytes,
    family_id: bytes,
    status_index: int,
    refresh_secret: RefreshSecret,
    *,
    now: int,
    lifetime: FamilyLifetime,
) -> Family | Replayed | None:
    """Redeem a code and begin its token family in one unit. The request has been checked in every other way.

    One statement decides, so only one of two concurrent requests gets the family. Replayed: the code was redeemed
    before, and this unit has revoked the family that it gave (RFC 6749 §4.1.2). None: the code is unknown or expired,
    or its login session, user or client is not active.
    """
    row = connection.execute(_REDEEM, {"the_code": code_hash, "now": now, "for_family": family_id}).one_or_none()
    if row is None:
        return _replayed(connection, code_hash, now=now)
    if not lock_active_owners(connection, client_id=row.client_id, sub=row.sub, sid=row.sid, now=now):
        return None
    return token_families.begin_family(
        connection,
        family_id,
        _authorization(row),
        status_index=status_index,
        refresh_secret=refresh_secret,
        now=now,
        lifetime=lifetime,
    )


def void_codes(connection: Connection, sub: str, client_id: str) -> None:
    """Make every code of this client and user unusable, also for a process with a slow clock."""
    connection.execute(
        update(authorization_codes)
        .where(
            authorization_codes.c.sub == sub,
            authorization_codes.c.client_id == client_id,
            authorization_codes.c.redeemed_at.is_(None),
            authorization_codes.c.expires_at > 0,
        )
        .values(expires_at=0)
    )


def _replayed(connection: Connection, code_hash: bytes, *, now: int) -> Replayed | None:
    row = connection.execute(_FIND, {"the_code": code_hash}).one_or_none()
    if row is None or row.redeemed_at is None:
        return None
    has_revoked = revocations.revoke_family(connection, row.family_id, now=now)
    if has_revoked:  # later replays leave no audit row: a caller could repeat the code without end
        audit_trail.record(connection, "code_replayed", now=now, sub=row.sub, client_id=row.client_id, sid=row.sid)
    return Replayed(has_revoked)


def _code(row: Any) -> AuthorizationCode:
    return AuthorizationCode(
        authorization=_authorization(row),
        redirect_uri=row.redirect_uri,
        nonce=row.nonce,
        code_challenge=row.code_challenge,
        expires_at=row.expires_at,
        redeemed_at=row.redeemed_at,
    )


def _authorization(row: Any) -> Authorization:
    return Authorization(
        client_id=row.client_id,
        sub=row.sub,
        sid=row.sid,
        scope=row.scope,
        resources=row.resources,
        claims=row.claims,
        auth_time=row.auth_time,
        acr=row.acr,
    )
