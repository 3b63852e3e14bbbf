"""Which clients were registered with the initial access token. The operator vouches for these and for their URLs.

For existing clients it is unknown, so they count as registered without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("clients") as clients:
        clients.add_column(sa.Column("registered_with_token", sa.Boolean(), nullable=False, server_default=sa.false()))
