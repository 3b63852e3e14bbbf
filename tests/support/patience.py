"""How long the tests wait for what is sure to come: hardly any is about time, and a loaded machine is slow."""

from tallystick_service.store import Store

PATIENCE = 60.0
"""Seconds after which a test would rather fail than hang."""


def patient_store(url: str, *, pool_size: int = 8) -> Store:
    """A store that does not give up when the machine has much else to do."""
    return Store.open(url, pool_size=pool_size, deadline=PATIENCE)
