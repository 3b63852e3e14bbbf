"""The status list, an index in it for each token family, and the revoked indexes.

Existing families get an index when they are next used.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FIRST_SIZE = 2**17


def upgrade() -> None:
    op.add_column("token_families", sa.Column("status_index", sa.BigInteger(), nullable=True))
    op.create_index("one_family_per_status_index", "token_families", ["status_index"], unique=True)
    lists = op.create_table(
        "status_lists",
        sa.Column("number", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in (
                "size",
                "size_before",
                "grown_at",
                "wanted_size",
                "revision",
                "listed_revision",
                "revoked",
                "lifetime",
                "iat",
            )
        ),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "revoked_indexes",
        sa.Column("status_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("clear_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("status_index"),
    )
    for column in ("revision", "clear_at"):
        op.create_index(op.f(f"ix_revoked_indexes_{column}"), "revoked_indexes", [column], unique=False)
    op.create_table(
        "status_blocks",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reserved_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block"),
    )
    first = dict.fromkeys(("grown_at", "revision", "listed_revision", "revoked", "lifetime", "iat"), 0)
    first |= dict.fromkeys(("size", "size_before", "wanted_size"), FIRST_SIZE)
    op.bulk_insert(lists, [{"number": 1, "kid": "", "token": "", **first}])
