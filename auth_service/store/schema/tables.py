"""What the auth service remembers. Times are Unix seconds; secrets are here only as hashes or encrypted.

No row is written per access token: what lives and dies is the token family, under its login session, user and client.
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
    Column("origin", Text, nullable=False),  # "file": the configuration's to change; or "registration"
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("disabled_by", Text),  # "file" or "command": a start must not undo what a person did
    Column("registration_token_hash", LargeBinary),  # SHA-256; RFC 7592's registration_access_token
    Column("prune_at", BigInteger, index=True),  # registered and never used; NULL from its first use on
    Column("registered_with_token", Boolean, nullable=False, server_default=false()),  # the initial access token
    Column("registered_from", LargeBinary),  # SHA-256 of the network, while it is unused
    Index("ix_clients_origin_disabled_at", "origin", "disabled_at"),  # counted at each registration
    Index(  # by which an unused client is found that makes room
        "ix_clients_unused",
        *("registered_from", "disabled_at", "prune_at", "client_id"),
        sqlite_where=text("prune_at IS NOT NULL"),
        postgresql_where=text("prune_at IS NOT NULL"),
    ),
)

client_origins = Table(  # the web pages of public clients, which may call us from a script
    "client_origins",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
)

client_assertions = Table(  # each jti counts once (RFC 7523 §3)
    "client_assertions",
    metadata,
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True),
    Column("jti_hash", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

client_logos = Table(  # fetched once, served by us
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
    Column("email_key", Text, nullable=False, unique=True),  # case-folded NFC, what is looked up
    Column("password_hash", Text),
    Column("password_cost", Text, index=True),  # of checking it, as `PasswordCost`; NULL: no password, or unreadable
    Column("password_generation", BigInteger, nullable=False, default=0),  # rises with every change of the password
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
    Column("sid", Text, primary_key=True),  # random, and public in ID Tokens; neither the cookie nor its hash
    Column("cookie_hash", LargeBinary, nullable=False, unique=True),
    Column("sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),  # how the user was authenticated; NULL: by password, before we wrote it down
    Column("last_seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # the absolute limit
    Column("ended_at", BigInteger),
)

login_session_clients = Table(  # whom to tell when a login session ends (Back-Channel Logout)
    "login_session_clients",
    metadata,
    Column("sid", Text, ForeignKey("login_sessions.sid", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
)

logout_deliveries = Table(  # logout tokens on their way; a row goes when the client has taken it, or at give_up_at
    "logout_deliveries",
    metadata,
    Column("delivery_id", LargeBinary, primary_key=True),  # 16 random bytes
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False),
    Column("sub", Text, nullable=False),
    Column("sid", Text, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempt_at", BigInteger, nullable=False),  # when somebody shall try; pushed on by who does
    Column("give_up_at", BigInteger, nullable=False, index=True),
    Index("ix_logout_deliveries_client_id_attempt_at", "client_id", "attempt_at"),  # each client's own queue
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
    Column("claims", JSON),  # OIDC Core §5.5, as far as we answer it
    Column("auth_time", BigInteger, nullable=False),
    Column("acr", Text),
    Column("expires_at", BigInteger, nullable=False),
    Column("prune_at", BigInteger, nullable=False, index=True),  # spent codes are kept for a day, to notice replays
    Column("redeemed_at", BigInteger),
    Column("family_id", LargeBinary),
)

token_families = Table(
    "token_families",
    metadata,
    Column("family_id", LargeBinary, primary_key=True),  # 16 random bytes
    Column("client_id", Text, ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sub", Text, ForeignKey("users.sub", ondelete="CASCADE"), index=True),  # NULL: the client acts for itself
    Column("sid", Text, index=True),  # NULL: offline_access, it outlives the login session
    Column("login_sid", Text),  # the login session it came from, for its ID Tokens: nothing lives or dies by it
    Column("scope", Text, nullable=False),
    Column("resources", JSON, nullable=False),
    Column("claims", JSON),
    Column("auth_time", BigInteger),
    Column("acr", Text),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("refresh_expires_at", BigInteger, nullable=False),  # moves with each rotation, never past expires_at
    Column("expires_at", BigInteger, nullable=False),
    Column("prune_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
    # SHA-256 of the random part of its refresh tokens. NULL: it began before they had one. Empty: it has none.
    Column("token_secret_hash", LargeBinary),
    Column("secret_since", Integer),  # the first generation whose refresh token has the random part; NULL: none yet
    Column("refresh_key_version", Integer, nullable=False, server_default="1"),  # of the current refresh token's MAC
    Column("repeated_generation", Integer),  # the last one whose refresh token was handed out a second time
    Column("status_index", BigInteger),  # its bit in the status list; NULL: not given yet, or free again
    Index("one_family_per_status_index", "status_index", unique=True),
    Index(
        "one_live_family_per_client_acting_for_itself",
        "client_id",
        unique=True,
        sqlite_where=text("sub IS NULL AND revoked_at IS NULL"),
        postgresql_where=text("sub IS NULL AND revoked_at IS NULL"),
    ),
)

status_lists = Table(  # what every process serves; one row, made by the migration
    "status_lists",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),  # bits
    Column("size_before", BigInteger, nullable=False),  # until every verifier can have the larger list
    Column("grown_at", BigInteger, nullable=False),
    Column("wanted_size", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the bits: rises when some have been revoked since
    Column("listed_revision", BigInteger, nullable=False),  # what is in `token`
    Column("revoked", BigInteger, nullable=False),  # bits that are set in `token`
    Column("lifetime", BigInteger, nullable=False),  # seconds; the longest that any process ever gave it
    Column("iat", BigInteger, nullable=False),
    Column("kid", Text, nullable=False),
    Column("token", Text, nullable=False),  # the signed list; "" before the first
)

revoked_indexes = Table(  # stays when its family is deleted with its client
    "revoked_indexes",
    metadata,
    Column("status_index", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, index=True),  # NULL: not taken into the list yet
    Column("clear_at", BigInteger, index=True),  # when no token with this index is believed any more; NULL: not listed
)

status_blocks = Table(  # which process may hand out which indexes
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
    Column("keep_published", BigInteger, nullable=False),  # seconds from its last signature on
    Column("withdrawn_at", BigInteger),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # 32 bytes, encrypted with the master key
    Column("added_at", BigInteger, nullable=False, server_default="0"),  # 0: before this was recorded
)

audit = Table(  # what happened; it refers to nothing, because it outlives what it tells of
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # SQLite counts only an INTEGER on
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
