"""How many passwords may be tried: enough for any person, too few for guessing, and never a way to lock someone out.

Leaky buckets, counted before the password is looked at and given back when it was right:

    an account from one address     10 free, then one every 30 seconds
    an address (IPv6: its /64)      100 free, then one a second
    an account from anywhere        100 free, then one every 10 seconds

A browser in which the account's user has signed in before has instead, whatever others are doing to the account:

    an account from known devices   10 free, then one every 30 seconds

Accounts that do not exist are counted like those that do. No bucket makes anyone wait longer than its interval once
those who fill it stop.
"""

from dataclasses import dataclass

from auth_service.authentication.buckets import audited_failures, bucket, network_of
from auth_service.store import guesses, logins
from auth_service.store.guesses import Bucket
from auth_service.store.logins import Failure
from tallystick.store import Store


@dataclass(frozen=True)
class Attempt:
    """`email_key` is the store's spelling; `known_since` is the day of a known device, None for any other browser."""

    email_key: str
    address: str
    known_since: str | None

    @property
    def buckets(self) -> list[Bucket]:
        if self.known_since is not None:
            return [bucket("known device", self.email_key, self.known_since, burst=10, interval=30)]
        network = network_of(self.address)
        return [
            bucket("account and address", self.email_key, network, burst=10, interval=30),
            bucket("address", network, burst=100, interval=1),
            bucket("account", self.email_key, burst=100, interval=10),
        ]

    @property
    def failure(self) -> Failure:
        """That an account is slowed at an address is written down once in ten minutes."""
        return Failure(
            email_key=self.email_key if _is_storable(self.email_key) else None,
            address=self.address,
            noted=audited_failures(self.address),
            slowed=bucket("audited slowness", self.email_key, network_of(self.address), burst=1, interval=600),
        )


async def allow(store: Store, attempt: Attempt, *, now_ms: int) -> int:
    """Count the attempt and return 0, or count nothing and return the milliseconds until there is room."""
    return await store.write(logins.begin, attempt.buckets, attempt.failure, now_ms=now_ms)


async def refund(store: Store, attempt: Attempt) -> None:
    """Take back an attempt whose password was never looked at. A right one is taken back by `logins.succeed`."""
    await store.write(guesses.refund, attempt.buckets)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
