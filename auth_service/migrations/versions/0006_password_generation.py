"""A number for each user that grows with every change of the password. Device cookies contain it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("password_generation", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("users") as users:
        users.alter_column("password_generation", server_default=None)
