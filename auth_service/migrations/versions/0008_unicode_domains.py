"""An email with a domain in its xn-- form is also found by the Unicode form."""

import unicodedata

from alembic import op
from sqlalchemy import column, select, table, update

from tallystick_service.urls import unicode_host

revision = "0008"
down_revision = "0007"

_users = table("users", column("sub"), column("email_key"))


def upgrade() -> None:
    """Give such users the `email_key` of the Unicode form.

    If another user has that key already, the row keeps its old key, and only the other user is found.
    """
    connection = op.get_bind()
    rows = connection.execute(select(_users).where(_users.c.email_key.like("%@%xn--%"))).all()
    for row in rows:
        key = _key(row.email_key)
        taken = connection.execute(select(_users.c.sub).where(_users.c.email_key == key)).first()
        if key != row.email_key and taken is None:
            connection.execute(update(_users).where(_users.c.sub == row.sub).values(email_key=key))


def _key(email_key: str) -> str:
    local, _, domain = email_key.rpartition("@")
    folded = unicodedata.normalize("NFC", f"{local}@{unicode_host(domain)}").casefold()
    return unicodedata.normalize("NFC", folded)
