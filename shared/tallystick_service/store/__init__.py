"""Where the services keep things: one transaction for each unit of work, committed before anyone hears of it.

A unit of work is a plain function `fn(connection, …)` of SQL and nothing else. See `Store` for the rules it keeps.
"""

from tallystick_service.store.errors import StoreUnavailable, Unstorable
from tallystick_service.store.observer import StoreObserver
from tallystick_service.store.statements import advisory_lock, insert_on_conflict, lock_parent, prune
from tallystick_service.store.store import DEADLINE, Store, check_url, database_exists

__all__ = [
    "DEADLINE",
    "Store",
    "StoreObserver",
    "StoreUnavailable",
    "Unstorable",
    "advisory_lock",
    "check_url",
    "database_exists",
    "insert_on_conflict",
    "lock_parent",
    "prune",
]
