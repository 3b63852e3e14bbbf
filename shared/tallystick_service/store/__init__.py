"""The database access of a service: each unit of work runs in one transaction, which is committed before it returns.

A unit of work is a plain function `fn(connection, …)` that only runs SQL. `Store` states the rules for it.
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
