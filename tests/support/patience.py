"""The time for which tests wait for an event that must happen. It is long, because a loaded machine is slow."""

from tallystick_service.store import Store

PATIENCE = 60.0
"""Seconds after which a test fails, so that it does not hang."""


def patient_store(url: str, *, pool_size: int = 8) -> Store:
    """A store with a long deadline, for a loaded machine."""
    return Store.open(url, pool_size=pool_size, deadline=PATIENCE)
