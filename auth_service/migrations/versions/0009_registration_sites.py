"""The site from which an unused client registered itself, so that each site has an equal share of the registrations.

Existing clients have no site. Together they count as one site.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("clients") as clients:
        clients.add_column(sa.Column("registered_from", sa.LargeBinary()))
        clients.drop_index("ix_clients_origin")
        clients.create_index("ix_clients_origin_disabled_at", ["origin", "disabled_at"])
        clients.create_index(
            "ix_clients_unused",
            ["registered_from", "disabled_at", "prune_at", "client_id"],
            sqlite_where=sa.text("prune_at IS NOT NULL"),
            postgresql_where=sa.text("prune_at IS NOT NULL"),
        )
