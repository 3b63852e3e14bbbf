"""What a right password changes, in one unit of work."""

from sqlalchemy import Connection, bindparam, select

from auth_service.store import guesses, login_sessions, users
from auth_service.store.guesses import Bucket
from auth_service.store.login_sessions import Lifetime
from auth_service.store.tables import users as users_table
from auth_service.store.users import Credentials

# FOR UPDATE, so that a new password, which signs out everywhere, cannot slip in between the check and the session.
_CURRENT_HASH = select(users_table.c.password_hash).where(users_table.c.sub == bindparam("sub")).with_for_update()


def succeed(
    connection: Connection,
    credentials: Credentials,
    *,
    better_hash: str | None,
    buckets: list[Bucket],
    cookie_hash: bytes,
    sid: str,
    acr: str,
    replaces: bytes | None,
    now: int,
    lifetime: Lifetime,
) -> bool:
    """Begin the login session, take the guess back, and put `better_hash`, if there is one, in place of the old.

    `credentials` are those the password was checked against. False: they are the user's no longer; nothing was done.
    """
    if connection.execute(_CURRENT_HASH, {"sub": credentials.sub}).scalar_one_or_none() != credentials.password_hash:
        return False
    begun = login_sessions.begin(
        connection, cookie_hash, sid=sid, sub=credentials.sub, acr=acr, replaces=replaces, now=now, lifetime=lifetime
    )
    if not begun:
        return False
    guesses.refund(connection, buckets)
    if better_hash is not None and credentials.password_hash is not None:
        users.upgrade_password_hash(connection, credentials.sub, old=credentials.password_hash, new=better_hash)
    return True
