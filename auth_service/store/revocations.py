"""What a client takes back by itself (RFC 7009)."""

from sqlalchemy import Connection

from auth_service.store import audit, token_families


def take_back(connection: Connection, family_id: bytes, *, now: int) -> None:
    """End the family of a token that its client has presented. Nothing to do when it had ended before."""
    family = token_families.find(connection, family_id)
    if token_families.revoke(connection, family_id, now=now) and family is not None:
        audit.record(
            connection,
            "tokens_revoked",
            now=now,
            sub=family.sub,
            client_id=family.client_id,
            sid=family.login_sid,
        )
