"""The buckets in which a login attempt is counted, and the rule that admits it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store.limits import rate_limits
from auth_service.store.limits.rate_limits import Bucket


@dataclass(frozen=True)
class LoginLimits:
    """An attempt is admitted by `known_device`; or by `address` together with either `account` or `quiet_address`.

    `known_device` counts only if the account's password generation is `generation`. It is empty for a browser without
    a genuine cookie.
    """

    known_device: tuple[Bucket, ...]
    generation: int | None
    address: tuple[Bucket, ...]
    account: tuple[Bucket, ...]
    quiet_address: tuple[Bucket, ...]


@dataclass(frozen=True)
class Charge:
    """The attempt was counted in `buckets`, or refused for `wait_ms` > 0 milliseconds and counted in none."""

    buckets: tuple[Bucket, ...]
    wait_ms: int


def charge_login(connection: Connection, limits: LoginLimits, *, generation: int | None, now_ms: int) -> Charge:
    """Count one attempt on an account whose password generation is `generation`; None if there is no such account.

    The order of the steps is the order in which every unit of work locks these rows, so that no two units deadlock.
    """
    is_known = limits.known_device and limits.generation == generation
    if is_known and rate_limits.charge(connection, limits.known_device, now_ms=now_ms) == 0:
        return Charge(limits.known_device, 0)
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
