"""Limits on login attempts: enough for any user, few for an attacker, and no way to lock a user out.

Leaky buckets in the store. An attempt is counted before its password is checked, and refunded if it was right. A
network is an IPv4 address or an IPv6 /64; a site is an IPv4 address or an IPv6 /48. An attempt needs room in each of

    an account, by network      10 free, then one every 30 seconds
    an account, by site         30 free, then one every 10 seconds
    a network                   100 free, then one a second
    a site                      200 free, then one a second

and also in one of these two. Attackers at other sites cannot use up the second:

    an account                  100 free, then one every 10 seconds
    an account, by quiet site   3 free, then one a day; and of all quiet sites 3,000 free, then one a minute

A browser in which the account's user has signed in since the last change of the password has limits of its own. When
they are used up, for example by an attacker who copied its cookie, the limits above apply:

    a browser, by network       10 free, then one every 30 seconds
    a browser                   20 free, then one every 30 seconds

Unknown accounts are counted like known ones. ADR 27 computes what this allows an attacker in a day.
"""

from dataclasses import dataclass

from auth_service.authentication.users.device_cookie import KnownDevice
from auth_service.limits.buckets import bucket, failure_audit_limit, network_of, site_of
from auth_service.store.limits import rate_limits
from auth_service.store.limits.login_limits import LoginLimits
from auth_service.store.limits.rate_limits import Bucket
from auth_service.store.users import password_logins
from auth_service.store.users.password_logins import Admission, FailedLogin
from tallystick_service.store import Store


@dataclass(frozen=True)
class LoginAttempt:
    """`email_key` is the form of the email that the store looks up. `address` is the caller's IP address.

    `device` is the content of a genuine device cookie for the account; None without one.
    """

    email_key: str
    address: str
    device: KnownDevice | None

    @property
    def limits(self) -> LoginLimits:
        # `order` is the order in which the units of work of logins lock these rows.
        key, network, site = self.email_key, network_of(self.address), site_of(self.address)
        known_device: tuple[Bucket, ...] = ()
        if self.device is not None:
            device_id = self.device.device_id
            known_device = (
                bucket("known browser and address", key, device_id, network, burst=10, interval=30, order=1),
                bucket("known browser", key, device_id, burst=20, interval=30, order=1),
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
            known_device=known_device,
            generation=self.device.generation if self.device else None,
            address=tuple(address),
            account=(bucket("account", key, burst=100, interval=10, order=3),),
            quiet_address=(
                bucket("account and quiet site", key, site, burst=3, interval=86_400, order=4),
                bucket("account and quiet sites", key, burst=3000, interval=60, order=4),
            ),
        )

    @property
    def failure(self) -> FailedLogin:
        """For the audit trail, which records a throttled account and address once in ten minutes."""
        return FailedLogin(
            email_key=self.storable_email_key,
            address=self.address,
            audit_limit=failure_audit_limit(self.address),
            slowed_audit_limit=bucket(
                "audited slowness", self.email_key, network_of(self.address), burst=1, interval=600
            ),
        )

    @property
    def storable_email_key(self) -> str | None:
        """None for text that a database cannot store, and that therefore belongs to no user."""
        try:
            self.email_key.encode()
        except UnicodeEncodeError:
            return None
        return None if "\0" in self.email_key else self.email_key


async def admit(store: Store, attempt: LoginAttempt, *, now_ms: int) -> Admission:
    """Count the attempt and look up the account, in one unit of work."""
    return await store.write(password_logins.admit_attempt, attempt.limits, attempt.failure, now_ms=now_ms)


async def refund(store: Store, admission: Admission) -> None:
    """Refund an attempt whose password was not checked. A right password is refunded by `PasswordUse`."""
    await store.write(rate_limits.refund, admission.charged)
