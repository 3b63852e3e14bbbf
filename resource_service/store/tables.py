"""What the notes API remembers. Times are Unix seconds."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, Uuid

MAX_OWNER_LENGTH = 255
"""OIDC Core §2 allows a `sub` no more; PostgreSQL's indexes could not hold much more either."""

metadata = MetaData()

notes = Table(
    "notes",
    metadata,
    Column("id", Uuid, primary_key=True),  # made in the order of time, so it sorts by age, too
    Column("owner", String(MAX_OWNER_LENGTH), nullable=False),  # the `sub` of the token that created it
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("version", Integer, nullable=False),  # counts the writes, from 1
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("notes_by_owner", "owner", "id"),
)
