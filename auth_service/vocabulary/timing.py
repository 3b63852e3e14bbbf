"""The times that keep promises only together, in seconds.

`tests/unit/test_timing.py` states and asserts each relation between them, and to the settings and the library's times.
Times that no other depends on are where they are used.
"""

from tallystick.clock import LEEWAY

REVOCATION_DEADLINE = 5
"""A revoked token and a withdrawn key are refused by every API within this time (docs/revocation.md)."""

# What this service caches

CLIENT_CACHE_SECONDS = 1.0
"""How long a process uses a client or an API that it has read. A disabled client acts no longer than this."""
FAMILY_CACHE_SECONDS = 1
"""How long a process uses the token family of a client that acts for itself."""
KEY_CACHE_SECONDS = 1
"""How long a process uses the signing keys that it has read."""

# What HTTP caches may keep

JWKS_MAX_AGE = 1
STATUS_LIST_MAX_AGE = 1

# Signing keys

KEY_SEEN_SECONDS = 8
"""How long a process must have seen a key before it signs with it, as long as the previous key may sign."""
MAX_CLOCK_SKEW = LEEWAY
"""The difference between the clocks of two processes, each at most half of it from the right time."""
MIN_SIGNING_KEY_AHEAD = 10
"""The least `signing_key_ahead` that the configuration accepts."""

# The status list

STATUS_LIST_POLL_INTERVAL = 0.4
"""How often a process looks for revocations that are not in the list yet."""
STATUS_LIST_POLL_JITTER = 0.25
"""The share by which that interval varies, so that processes do not poll together."""
STATUS_LIST_INTERVAL = 1
"""The least time between two lists: each `iat` is later than the one before, and in whole seconds."""
STATUS_LIST_RESIGN_INTERVAL = 10
"""How often a list without changes is signed again, so that its `iat` shows that the issuer is working."""
STATUS_LIST_TTL = 2
"""When a verifier should fetch the list again (`ttl`, Token Status List §5.1)."""
LARGER_LIST_DELAY = 10
"""How long after the publication of a larger list its new indexes are given to token families."""
CLEAR_MARGIN = 70
"""How long a bit stays set after the last token with it has expired: a process may issue tokens for a revoked family
until it receives the revocation, and clocks differ."""

# Status indexes

BLOCK_LEASE = 600
"""How long a process has a block of indexes for itself."""
BLOCK_LEASE_UNUSED = 120
"""How long before the end of that lease the process stops using the block, because clocks differ."""

# Rows

KEEP_ENDED_SECONDS = 86_400
"""How long a token family stays after its last token has expired, so that a replay is recognized."""
LOGOUT_DELIVERY_LEASE = 30
"""How long a logout delivery belongs to the process that took it. Then another process may take it."""

LAST_SEEN_INTERVAL = 60
"""How often activity in a login session is written to its row, by page views and by rotations of its refresh tokens."""

# Forms

FORM_LIFETIME = 3600
"""How long the signed state of a form is accepted."""
FORM_KEY_KEPT = FORM_LIFETIME + LEEWAY
"""How long a form key is kept after it was replaced."""
