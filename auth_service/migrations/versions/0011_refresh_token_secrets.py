"""A random part for the refresh tokens of each family, and the version of the key of their MAC.

Existing families have no random part, and version 1 of the key.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("token_families", sa.Column("token_secret_hash", sa.LargeBinary()))
    op.add_column("token_families", sa.Column("secret_since", sa.Integer()))
    op.add_column("token_families", sa.Column("refresh_key_version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("token_families", sa.Column("repeated_generation", sa.Integer()))
    op.add_column("secrets", sa.Column("added_at", sa.BigInteger(), nullable=False, server_default="0"))
