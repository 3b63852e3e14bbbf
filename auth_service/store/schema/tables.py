"""The tables of the auth service. Times are Unix seconds. Secrets are stored as hashes or encrypted.

No row is written per access token. Whether a token is valid follows from its token family, and from the family's login
session, user and client.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

apis = Table(
    "apis",
    metadata,
    Column("audience", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),  # {"notes:read": "Read your notes"}
    Column("introspection_clients", JSON, nullable=False),
    Column("disabled_at", BigInteger),  # no longer declared
)

clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("secret_hash", LargeBinary),  # SHA-256 of a secret of at least 32 characters; NULL for a public client
    Column("metadata", JSON, nullable=False),  # the RFC 7591 fields
    Column("origin", Text, nullable=False),  # "file" (declared in the configuration) or "registration"
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("disabled_by", Text),  # "file" or "command"; applying the file does not undo a command
    Column("registration_token_hash", LargeBinary),  # SHA-256; RFC 7592's registration_access_token
    Column("prune_at", BigInteger, index=True),  # for a registered client without any use; NULL after its first use
    Column("registered_with_token", Boolean, nullable=False, server_default=false()),  # with the initial access token
    Column("registered_from", LargeBinary),  # SHA-256 of the registering network; NULL after the first use
    Index("ix_clients_origin_disabled_at", "origin", "disabled_at"),  # counted at each registration
    Index(  # finds an unused client to remove when there are too many
        "ix_clients_unused",
        *("registered_from", "disabled_at", "prune_at", "client_id"),
        sqlite_where=text("prune_at IS NOT NULL"),
        postgresql_where=text("prune_at IS NOT NULL"),
    ),
)

client_origins = Table(  # web origins of public clients, for CORS
    "client_origins",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
)

client_assertions = Table(  # used jti values; each is accepted once (RFC 7523 §3)
    "client_assertions",
    metadata,
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True),
    Column("jti_hash", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

client_logos = Table(  # fetched once, served by this service
    "client_logos",
    metadata,
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True),
    Column("logo_uri", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("sub", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),  # case-folded NFC, for lookups
    Column("password_hash", Text),
    Column("password_cost", Text, index=True),  # of the hash, as `PasswordCost`; NULL: no password, or an unknown hash
    Column(
        "password_generation", BigInteger, nullable=False, default=0
    ),  # incremented with every change of the password
    Column("claims", JSON, nullable=False),  # OIDC Core §5.1, without email
    Column("roles", JSON, nullable=False),
    Column("origin", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("disabled_by", Text),
)

login_sessions = Table(
    "login_sessions",
    metadata,
    Column("sid", Text, primary_key=True),  # random; public in ID Tokens, so neither the cookie nor its hash
    Column("cookie_hash", LargeBinary, nullable=False, unique=True),
    Column("sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),  # how the user was authenticated; NULL: with a password, in old rows
    Column("last_seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # the absolute limit
    Column("ended_at", BigInteger),
)

login_session_clients = Table(  # the clients to notify when a login session ends (Back-Channel Logout)
    "login_session_clients",
    metadata,
    Column("sid", Text, ForeignKey("login_sessions.sid", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
)

logout_deliveries = Table(  # logout tokens to deliver; removed when the client has accepted one, or at give_up_at
    "logout_deliveries",
    metadata,
    Column("delivery_id", LargeBinary, primary_key=True),  # 16 random bytes
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False),
    Column("sub", Text, nullable=False),
    Column("sid", Text, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempt_at", BigInteger, nullable=False),  # when the next attempt is due; taking the delivery moves it on
    Column("give_up_at", BigInteger, nullable=False, index=True),
    Index("ix_logout_deliveries_client_id_attempt_at", "client_id", "attempt_at"),  # each client has its own queue
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("sid", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("resources", JSON, nullable=False),
    Column("nonce", Text),
    Column("code_challenge", Text),
    Column("claims", JSON),  # the `claims` parameter (OIDC Core §5.5), as far as it is supported
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),
    Column("expires_at", BigInteger, nullable=False),
    Column(
        "prune_at", BigInteger, nullable=False, index=True
    ),  # redeemed codes are kept for a day, to recognize replays
    Column("redeemed_at", BigInteger),
    Column("family_id", LargeBinary),
)

token_families = Table(
    "token_families",
    metadata,
    Column("family_id", LargeBinary, primary_key=True),  # 16 random bytes
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False, index=True),
    Column(
        "sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), index=True
    ),  # NULL: the client acts for itself (RFC 6749 §4.4)
    Column("sid", Text, index=True),  # NULL: with offline_access the family outlives the login session
    Column("login_sid", Text),  # the login session that it came from, for its ID Tokens only
    Column("scope", Text, nullable=False),
    Column("resources", JSON, nullable=False),
    Column("claims", JSON),
    Column("auth_time", BigInteger),
    Column("acr", Text),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("refresh_expires_at", BigInteger, nullable=False),  # set by each rotation, at most expires_at
    Column("expires_at", BigInteger, nullable=False),
    Column("prune_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
    # SHA-256 of the random part of its refresh tokens. NULL: it began before they had one. Empty: no refresh token.
    Column("token_secret_hash", LargeBinary),
    Column("secret_since", Integer),  # the first generation whose refresh token has the random part; NULL: none yet
    Column("refresh_key_version", Integer, nullable=False, server_default="1"),  # of the current refresh token's MAC
    Column("repeated_generation", Integer),  # the newest generation whose refresh token was issued twice
    Column("status_index", BigInteger),  # its bit in the status list; NULL: not assigned yet, or freed
    Index("one_family_per_status_index", "status_index", unique=True),
    Index(
        "one_live_family_per_client_acting_for_itself",
        "client_id",
        unique=True,
        sqlite_where=text("sub IS NULL AND revoked_at IS NULL"),
        postgresql_where=text("sub IS NULL AND revoked_at IS NULL"),
    ),
)

status_lists = Table(  # the published list, which every process serves; one row, made by the migration
    "status_lists",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),  # bits
    Column("size_before", BigInteger, nullable=False),  # used until every verifier can have the larger list
    Column("grown_at", BigInteger, nullable=False),
    Column("wanted_size", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the revoked indexes: incremented when there are new ones
    Column("listed_revision", BigInteger, nullable=False),  # the revision that `token` contains
    Column("revoked", BigInteger, nullable=False),  # number of bits set in `token`
    Column("lifetime", BigInteger, nullable=False),  # seconds; the longest of all configurations so far
    Column("iat", BigInteger, nullable=False),
    Column("kid", Text, nullable=False),
    Column("token", Text, nullable=False),  # the signed list; "" before the first one
)

revoked_indexes = Table(  # a row stays when its family is deleted
    "revoked_indexes",
    metadata,
    Column("status_index", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, index=True),  # NULL: not in a list yet
    Column("clear_at", BigInteger, index=True),  # when all tokens with this index have expired; NULL: not listed yet
)

status_blocks = Table(  # blocks of indexes that a process has reserved
    "status_blocks",
    metadata,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("reserved_until", BigInteger, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("alg", Text, nullable=False),
    Column("public_jwk", JSON, nullable=False),
    Column("private_key", LargeBinary, nullable=False),  # PKCS#8 DER, encrypted with the master key; empty: destroyed
    Column("published_at", BigInteger, nullable=False),
    Column("signs_from", BigInteger, nullable=False),
    Column("keep_published", BigInteger, nullable=False),  # seconds after its last signature
    Column("withdrawn_at", BigInteger),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # 32 bytes, encrypted with the master key
    Column("added_at", BigInteger, nullable=False, server_default="0"),  # 0: unknown, in old rows
)

audit = Table(  # no foreign keys, because an entry outlives the rows that it names
    "audit",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    ),  # SQLite increments only an INTEGER key
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("sub", Text),
    Column("client_id", Text),
    Column("sid", Text),
    Column("request_id", Text),
    Column("address", Text),
    Column("detail", JSON, nullable=False),
    Index("ix_audit_at_id", "at", "id"),
    Index("ix_audit_sub_at_id", "sub", "at", "id"),
    Index("ix_audit_client_id_at_id", "client_id", "at", "id"),
)

rate_limits = Table(
    "guesses",
    metadata,
    Column("bucket", LargeBinary, primary_key=True),  # a SHA-256, so that no address or email is stored
    Column("full_until", BigInteger, nullable=False, index=True),  # Unix milliseconds at which the bucket is empty
)
