"""The one-time value between /authorize and /token (RFC 6749 §4.1).

256 random bits to the holder, SHA-256 to the store.
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
from auth_service.store.tokens.owners import lock_active_login, lock_active_owners
from auth_service.store.tokens.token_families import Family, FamilyLifetime, RefreshSecret, Replayed
from tallystick_service.store import prune

_KEEP_SPENT = 86_400  # seconds

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
    """What was asked for at /authorize and allowed, to be compared with what comes to /token."""

    client_id: str
    sub: str
    sid: str
    redirect_uri: str
    scope: str
    resources: list[str]
    nonce: str | None
    code_challenge: str | None
    claims: dict[str, Any] | None
    auth_time: int
    acr: str | None
    expires_at: int
    redeemed_at: int | None = None


class NotIssued(Enum):
    """What the decision to issue a code rested on, and is not so any more."""

    CLIENT_CHANGED = auto()
    LOGIN_ENDED = auto()
    CONSENT_WITHDRAWN = auto()


def issue(
    connection: Connection,
    code_hash: bytes,
    code: AuthorizationCode,
    *,
    client: Client,
    needs_consent_to: frozenset[str],
    now: int,
) -> NotIssued | None:
    """Remember a code. None when it was issued, else the reason why not; nothing has been written then.

    What was decided before this unit is checked again under the locks that changes take: `client` is still as it was
    when the request was judged, the user and the login session are live, and the stored consent covers
    `needs_consent_to`, which is empty when the answer does not rest on a stored consent.

    A client that registered itself is kept from its first code on. One with a backchannel_logout_uri is to be told when
    the login session ends (Back-Channel Logout §2.3).
    """
    if client.is_unused:
        clients.mark_used(connection, code.client_id)  # first: locked for update at once, not after a shared lock
    if not clients.lock_unchanged(connection, client):
        return NotIssued.CLIENT_CHANGED
    if not lock_active_login(connection, sub=code.sub, sid=code.sid, now=now):
        return NotIssued.LOGIN_ENDED
    if needs_consent_to:  # read after the user's row was locked, for which a withdrawal waits, or has been waited for
        names = {"the_sub": code.sub, "the_client": code.client_id}
        scope = connection.execute(_CONSENT, names).scalar_one_or_none() or ""
        if not needs_consent_to <= frozenset(scope.split()):
            return NotIssued.CONSENT_WITHDRAWN
    connection.execute(
        _INSERT,
        {
            "code_hash": code_hash,
            "client_id": code.client_id,
            "sub": code.sub,
            "sid": code.sid,
            "redirect_uri": code.redirect_uri,
            "scope": code.scope,
            "resources": code.resources,
            "nonce": code.nonce,
            "code_challenge": code.code_challenge,
            "claims": code.claims,
            "auth_time": code.auth_time,
            "acr": code.acr,
            "expires_at": code.expires_at,
            "prune_at": code.expires_at + _KEEP_SPENT,
        },
    )
    if client.backchannel_logout_uri is not None:
        logout_deliveries.remember(connection, code.sid, code.client_id)
    # Last: it locks what it deletes in no order, so nothing may be waited for behind it.
    prune(connection, authorization_codes.c.prune_at, now=now)
    return None


def find(connection: Connection, code_hash: bytes) -> AuthorizationCode | None:
    """The code as it was issued, spent or not."""
    row = connection.execute(_FIND, {"the_code": code_hash}).one_or_none()
    return None if row is None else _code(row)


def redeem(
    connection: Connection,
    code_hash: bytes,
    family_id: bytes,
    status_index: int,
    refresh_secret: RefreshSecret,
    *,
    now: int,
    lifetime: FamilyLifetime,
) -> Family | Replayed | None:
    """Spend a code whose request has been checked in every other way, and open its token family, in one unit.

    One statement decides, so two racing requests cannot both win. Replayed: it was spent before, and what it gave is
    revoked by this same unit (RFC 6749 §4.1.2). None: unknown, expired, or its login session, user or client is gone.
    """
    row = connection.execute(_REDEEM, {"the_code": code_hash, "now": now, "for_family": family_id}).one_or_none()
    if row is None:
        return _replayed(connection, code_hash, now=now)
    if not lock_active_owners(connection, client_id=row.client_id, sub=row.sub, sid=row.sid, now=now):
        return None
    return token_families.begin(
        connection,
        family_id,
        client_id=row.client_id,
        sub=row.sub,
        sid=None if "offline_access" in row.scope.split() else row.sid,
        login_sid=row.sid,
        scope=row.scope,
        resources=row.resources,
        claims=row.claims,
        auth_time=row.auth_time,
        acr=row.acr,
        status_index=status_index,
        refresh_secret=refresh_secret,
        now=now,
        lifetime=lifetime,
    )


def void(connection: Connection, sub: str, client_id: str) -> None:
    """No code that this client holds for this user can be redeemed any more, by whatever clock."""
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
    # Only the replay that ends something is written down: whoever has a spent code could repeat it all day.
    has_ended = revocations.revoke(connection, row.family_id, now=now)
    if has_ended:
        audit_trail.record(connection, "code_replayed", now=now, sub=row.sub, client_id=row.client_id, sid=row.sid)
    return Replayed(has_ended)


def _code(row: Any) -> AuthorizationCode:
    return AuthorizationCode(
        client_id=row.client_id,
        sub=row.sub,
        sid=row.sid,
        redirect_uri=row.redirect_uri,
        scope=row.scope,
        resources=row.resources,
        nonce=row.nonce,
        code_challenge=row.code_challenge,
        claims=row.claims,
        auth_time=row.auth_time,
        acr=row.acr,
        expires_at=row.expires_at,
        redeemed_at=row.redeemed_at,
    )
