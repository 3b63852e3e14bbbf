"""The times that only work together. `tests/unit/test_timing.py` asserts what they promise one another."""

KEEP_ENDED_SECONDS = 86_400
"""How long a token family stays after its last token has expired, so that a replay is told from an unknown token."""

BLOCK_LEASE = 600
"""How long a process has a block of status indexes for itself, in seconds."""
BLOCK_LEASE_UNUSED = 120
"""How long before the end of that lease the process stops using the block, in seconds, because clocks differ."""
