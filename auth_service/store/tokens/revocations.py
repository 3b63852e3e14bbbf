"""Revocation of token families: of one, or of all that belong to a login session, a user, a client or a consent.

The status indexes of the revoked families go to `revoked_indexes`, in the same unit.
"""

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.schema.tables import status_lists, token_families
from auth_service.store.status_list import revoked_indexes
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS
from tallystick.clock import LEEWAY

_OWNERS = select(
    token_families.c.sub,
    token_families.c.client_id,
    func.coalesce(token_families.c.login_sid, token_families.c.sid).label("login_sid"),
)


def revoke_family(connection: Connection, family_id: bytes, *, now: int) -> bool:
    """Revoke one family. Its refresh tokens end with the commit, its access tokens when APIs have the next status list.

    False when it had been revoked before, or is deleted.
    """
    return revoke_families(connection, token_families.c.family_id == family_id, now=now) > 0


def revoke_families_of_login_session(connection: Connection, sid: str, *, now: int) -> None:
    """Families with `offline_access` have no `sid` and stay."""
    revoke_families(connection, token_families.c.sid == sid, now=now)


def revoke_families_of_user(connection: Connection, sub: str, *, now: int) -> None:
    revoke_families(connection, token_families.c.sub == sub, now=now)


def revoke_families_of_client(connection: Connection, client_id: str, *, now: int) -> None:
    revoke_families(connection, token_families.c.client_id == client_id, now=now)


def revoke_families_of_consent(connection: Connection, sub: str, client_id: str, *, now: int) -> int:
    """Returns how many families were revoked."""
    families = and_(token_families.c.sub == sub, token_families.c.client_id == client_id)
    return revoke_families(connection, families, now=now)


def revoke_family_on_request(connection: Connection, family_id: bytes, *, now: int) -> bool:
    """Revoke the family of a token that its client has sent to /revoke (RFC 7009), and record it in the audit trail.

    False when it had been revoked before.
    """
    has_revoked = revoke_family(connection, family_id, now=now)
    if has_revoked:
        family = connection.execute(_OWNERS.where(token_families.c.family_id == family_id)).one()
        audit_trail.record(
            connection, "tokens_revoked", now=now, sub=family.sub, client_id=family.client_id, sid=family.login_sid
        )
    return has_revoked


def revoke_families(connection: Connection, condition: ColumnElement[bool], *, now: int) -> int:
    """Revoke the families that meet the condition. Returns how many were not revoked before."""
    # This updates the family rows themselves, so that a concurrent rotation waits for the row and finds it revoked.
    revoked = connection.execute(
        update(token_families).where(condition, token_families.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    # Of status lists, ever: tokens from an earlier configuration may live longer than `prune_at` says.
    longest_lifetime = select(status_lists.c.lifetime).scalar_subquery()
    may_have_tokens = (
        token_families.c.revoked_at == now,  # also those revoked earlier in this second, which is harmless
        token_families.c.status_index.is_not(None),
        token_families.c.prune_at > now + KEEP_ENDED_SECONDS - LEEWAY - longest_lifetime,
    )
    revoked_indexes.add_indexes(connection, select(token_families.c.status_index).where(condition, *may_have_tokens))
    return revoked.rowcount
