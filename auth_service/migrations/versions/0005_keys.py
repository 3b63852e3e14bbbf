"""For how long each signing key is believed after its last signature.

Of those that are there nobody knows under which lifetimes they signed, so they get the longest that can be set.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_LONGEST = 86_400 + 60
"""The longest lifetime of a token, and the leeway of those who verify."""


def upgrade() -> None:
    with op.batch_alter_table("signing_keys") as signing_keys:
        signing_keys.add_column(
            sa.Column("keep_published", sa.BigInteger(), nullable=False, server_default=str(_LONGEST))
        )
    with op.batch_alter_table("signing_keys") as signing_keys:
        signing_keys.alter_column("keep_published", server_default=None)
