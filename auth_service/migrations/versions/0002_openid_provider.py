"""Self-registered clients, keys of clients, acr and claims, and back-channel logout.

`client_origins` is created empty. Until this revision all clients were declared, and the start that runs the migration
applies the configuration file, which fills the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("clients", sa.Column("registration_token_hash", sa.LargeBinary(), nullable=True))
    op.add_column("clients", sa.Column("prune_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_clients_prune_at"), "clients", ["prune_at"], unique=False)
    op.create_index(op.f("ix_clients_origin"), "clients", ["origin"], unique=False)
    op.add_column("login_sessions", sa.Column("acr", sa.Text(), nullable=True))
    for table in ("authorization_codes", "token_families"):
        op.add_column(table, sa.Column("claims", sa.JSON(), nullable=True))
        op.add_column(table, sa.Column("acr", sa.Text(), nullable=True))
    op.add_column("token_families", sa.Column("login_sid", sa.Text(), nullable=True))
    op.create_table(
        "client_origins",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("origin", "client_id"),
    )
    op.create_index(op.f("ix_client_origins_client_id"), "client_origins", ["client_id"], unique=False)
    op.create_table(
        "client_assertions",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jti_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client_id", "jti_hash"),
    )
    op.create_index(op.f("ix_client_assertions_expires_at"), "client_assertions", ["expires_at"], unique=False)
    op.create_table(
        "client_logos",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("logo_uri", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_table(
        "login_session_clients",
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sid"], ["login_sessions.sid"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sid", "client_id"),
    )
    op.create_index(op.f("ix_login_session_clients_client_id"), "login_session_clients", ["client_id"], unique=False)
    op.create_table(
        "logout_deliveries",
        sa.Column("delivery_id", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("give_up_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    op.create_index(op.f("ix_logout_deliveries_give_up_at"), "logout_deliveries", ["give_up_at"], unique=False)
    op.create_index("ix_logout_deliveries_client_id_attempt_at", "logout_deliveries", ["client_id", "attempt_at"])
