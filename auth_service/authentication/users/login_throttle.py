"""Limits on login attempts: enough for any person, few for guessing, and no way to lock a person out.

Leaky buckets in the store. An attempt is counted before its password is checked, and refunded when it was right. A
network is an IPv4 address or an IPv6 /64; a site is an IPv4 address or an IPv6 /48. An attempt needs room in each of

    an account, by network      10 free, then one every 30 seconds
    an account, by site         30 free, then one every 10 seconds
    a network                   100 free, then one a second
    a site                      200 free, then one a second

and also in one of these two; the second is what attackers at other sites cannot use up:

    an account                  100 free, then one every 10 seconds
    an account, by quiet site   3 free, then one a day; and of all quiet sites 3,000 free, then one a minute

A browser in which the account's user has signed in since the last change of the password has limits of its own first,
and those above when they are used up, as by a thief of its cookie:

    a browser, by network       10 free, then one every 30 seconds
    a browser                   20 free, then one every 30 seconds

Unknown accounts are counted like known ones. What this allows an attacker in a day: docs/decisions/0027.
"""

from dataclasses import dataclass

from auth_service.authentication.users.device_cookie import KnownDevice
from auth_service.limits.buckets import audited_failures, bucket, network_of, site_of
from auth_service.store.limits import rate_limits
from auth_service.store.limits.login_limits import LoginLimits
from auth_service.store.limits.rate_limits import Bucket
from auth_service.store.users import logins
from auth_service.store.users.logins import Admission, Failure
from tallystick_service.store import Store


@dataclass(frozen=True)
class Attempt:
    """`email_key` is the store's spelling. `browser` is what a genuine cookie says; None without one."""

    email_key: str
    address: str
    browser: KnownDevice | None

    @property
    def limits(self) -> LoginLimits:
        # `order`: how the units of logins lock these rows, each after all of a lower number.
        key, network, site = self.email_key, network_of(self.address), site_of(self.address)
        known_browser: tuple[Bucket, ...] = ()
        if self.browser is not None:
            name = self.browser.browser_id
            known_browser = (
                bucket("known browser and address", key, name, network, burst=10, interval=30, order=1),
                bucket("known browser", key, name, burst=20, interval=30, order=1),
            )
        address = [
            bucket("account and address", key, network, burst=10, interval=30, order=2),
            bucket("address", network, burst=100, interval=1, order=2),
        ]
        if site != network:
            address += [
                bucket("account and site", key, site, burst=30, interval=10, order=2),
                bucket("site", site, burst=200, interval=1, order=2),
            ]
        return LoginLimits(
            known_browser=known_browser,
            generation=self.browser.generation if self.browser else None,
            address=tuple(address),
            account=(bucket("account", key, burst=100, interval=10, order=3),),
            quiet_address=(
                bucket("account and quiet site", key, site, burst=3, interval=86_400, order=4),
                bucket("account and quiet sites", key, burst=3000, interval=60, order=4),
            ),
        )

    @property
    def failure(self) -> Failure:
        """What the audit trail gets. That an account is slowed at an address is written once in ten minutes."""
        return Failure(
            email_key=self.storable_email_key,
            address=self.address,
            noted=audited_failures(self.address),
            slowed=bucket("audited slowness", self.email_key, network_of(self.address), burst=1, interval=600),
        )

    @property
    def storable_email_key(self) -> str | None:
        """None for text that no database can hold, and that belongs to no user."""
        try:
            self.email_key.encode()
        except UnicodeEncodeError:
            return None
        return None if "\0" in self.email_key else self.email_key


async def admit(store: Store, attempt: Attempt, *, now_ms: int) -> Admission:
    """Count the attempt and look up the account, in one unit."""
    return await store.write(logins.admit_attempt, attempt.limits, attempt.failure, now_ms=now_ms)


async def refund(store: Store, admission: Admission) -> None:
    """Take back an attempt whose password was never checked. `logins.succeed` takes back a right one."""
    await store.write(rate_limits.refund, admission.charged)
