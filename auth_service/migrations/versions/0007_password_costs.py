"""The cost of verifying each user's password, so that a failed login can cost the same for every account."""

import sqlalchemy as sa
from alembic import op

from auth_service.vocabulary.password_costs import cost_of

revision = "0007"
down_revision = "0006"

_BATCH_SIZE = 1000


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("password_cost", sa.Text(), nullable=True))
        users.create_index(op.f("ix_users_password_cost"), ["password_cost"])
    connection, table = op.get_bind(), sa.table("users", *map(sa.column, ("sub", "password_hash", "password_cost")))
    last = ""
    while rows := connection.execute(
        sa.select(table.c.sub, table.c.password_hash).where(table.c.sub > last).order_by(table.c.sub).limit(_BATCH_SIZE)
    ).all():
        last = rows[-1].sub
        known = [(row.sub, cost_of(row.password_hash)) for row in rows if row.password_hash is not None]
        if found := [{"of": sub, "cost": str(cost)} for sub, cost in known if cost is not None]:
            statement = sa.update(table).where(table.c.sub == sa.bindparam("of"))
            connection.execute(statement.values(password_cost=sa.bindparam("cost")), found)
