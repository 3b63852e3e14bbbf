"""The buckets in which a login attempt is counted, and which of them admits it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store.limits import rate_limits
from auth_service.store.limits.rate_limits import Bucket


@dataclass(frozen=True)
class LoginLimits:
    """An attempt is admitted by `known_browser`; else by `address` together with either `account` or `quiet_address`.

    `known_browser` holds only for an account whose password generation is `generation`. It is empty for a browser
    without a genuine cookie.
    """

    known_browser: tuple[Bucket, ...]
    generation: int | None
    address: tuple[Bucket, ...]
    account: tuple[Bucket, ...]
    quiet_address: tuple[Bucket, ...]


@dataclass(frozen=True)
class Charge:
    """`buckets` were charged, to be refunded when the password is right. With `wait_ms` > 0 nothing was charged."""

    buckets: tuple[Bucket, ...]
    wait_ms: int


def charge(connection: Connection, limits: LoginLimits, *, generation: int | None, now_ms: int) -> Charge:
    """Count one attempt on an account whose password generation is `generation`; None: there is no such account.

    The order of the steps is the order in which every unit locks these rows, so that two units never deadlock.
    """
    is_known = limits.known_browser and limits.generation == generation
    if is_known and rate_limits.charge(connection, limits.known_browser, now_ms=now_ms) == 0:
        return Charge(limits.known_browser, 0)
    if wait := rate_limits.charge(connection, limits.address, now_ms=now_ms):
        return Charge((), wait)
    account_wait = rate_limits.charge(connection, limits.account, now_ms=now_ms)
    if account_wait == 0:
        return Charge((*limits.address, *limits.account), 0)
    quiet_wait = rate_limits.charge(connection, limits.quiet_address, now_ms=now_ms)
    if quiet_wait == 0:
        return Charge((*limits.address, *limits.quiet_address), 0)
    rate_limits.refund(connection, limits.address)
    return Charge((), min(account_wait, quiet_wait))
