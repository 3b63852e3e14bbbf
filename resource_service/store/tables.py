"""The tables of the notes API. Times are Unix seconds."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, Uuid

MAX_OWNER_LENGTH = 255
"""The maximum length of a `sub` (OIDC Core §2)."""

metadata = MetaData()

notes = Table(
    "notes",
    metadata,
    Column("id", Uuid, primary_key=True),  # a UUIDv7, which sorts by age
    Column("owner", String(MAX_OWNER_LENGTH), nullable=False),  # the `sub` of the token that created it
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("version", Integer, nullable=False),  # counts the writes, from 1
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("notes_by_owner", "owner", "id"),
)
