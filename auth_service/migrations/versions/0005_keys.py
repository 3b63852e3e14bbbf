"""How long each signing key stays published after its last signature.

The lifetimes under which existing keys signed are unknown, so they get the longest that can be configured.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MAX_KEEP_PUBLISHED = 86_400 + 60
"""Seconds: the longest lifetime of a token, and the leeway of verifiers."""


def upgrade() -> None:
    with op.batch_alter_table("signing_keys") as signing_keys:
        signing_keys.add_column(
            sa.Column("keep_published", sa.BigInteger(), nullable=False, server_default=str(_MAX_KEEP_PUBLISHED))
        )
    with op.batch_alter_table("signing_keys") as signing_keys:
        signing_keys.alter_column("keep_published", server_default=None)
