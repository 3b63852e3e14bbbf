"""Token families are ended: one, or all that live under something. Their indexes go to the status list."""

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.schema.tables import status_lists, token_families
from auth_service.store.status_list import revoked_indexes
from tallystick.clock import LEEWAY

KEEP_DEAD = 86_400
"""Seconds after the last token of a family has expired, so that a replay is still told from an unknown token."""

_OF_WHOM = select(
    token_families.c.sub,
    token_families.c.client_id,
    func.coalesce(token_families.c.login_sid, token_families.c.sid).label("login_sid"),
)


def revoke(connection: Connection, family_id: bytes, *, now: int) -> bool:
    """End one family: its refresh tokens at once, its access tokens as soon as the next status list is everywhere.

    False when it had been ended before, or is no more.
    """
    return revoke_where(connection, token_families.c.family_id == family_id, now=now) > 0


def revoke_of_login_session(connection: Connection, sid: str, *, now: int) -> None:
    """End what lives under a login session; what was given offline_access has no sid and goes on."""
    revoke_where(connection, token_families.c.sid == sid, now=now)


def revoke_of_user(connection: Connection, sub: str, *, now: int) -> None:
    revoke_where(connection, token_families.c.sub == sub, now=now)


def revoke_of_client(connection: Connection, client_id: str, *, now: int) -> None:
    revoke_where(connection, token_families.c.client_id == client_id, now=now)


def revoke_of_consent(connection: Connection, sub: str, client_id: str, *, now: int) -> int:
    """How many families it has ended."""
    return revoke_where(connection, and_(token_families.c.sub == sub, token_families.c.client_id == client_id), now=now)


def revoke_presented(connection: Connection, family_id: bytes, *, now: int) -> bool:
    """End the family of a token that its client has presented (RFC 7009). False when it had been ended before."""
    has_ended = revoke(connection, family_id, now=now)
    if has_ended:
        family = connection.execute(_OF_WHOM.where(token_families.c.family_id == family_id)).one()
        audit_trail.record(
            connection, "tokens_revoked", now=now, sub=family.sub, client_id=family.client_id, sid=family.login_sid
        )
    return has_ended


def revoke_where(connection: Connection, condition: ColumnElement[bool], *, now: int) -> int:
    # Written on the family rows themselves: a rotation beside this waits for the row and then finds it revoked.
    ended = connection.execute(
        update(token_families).where(condition, token_families.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    may_have_tokens = (
        token_families.c.revoked_at == now,  # some perhaps a moment before: to list these again does no harm
        token_families.c.status_index.is_not(None),
        # By the longest lifetime that lists ever had: tokens of an earlier configuration may outlive `prune_at`'s.
        token_families.c.prune_at > now + KEEP_DEAD - LEEWAY - select(status_lists.c.lifetime).scalar_subquery(),
    )
    revoked_indexes.add(connection, select(token_families.c.status_index).where(condition, *may_have_tokens))
    return ended.rowcount
