"""The units of work of a login with a password: the attempt, its failure, and the use of a right password."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from auth_service.store.audit import audit_limits
from auth_service.store.audit.audit_trail import Event
from auth_service.store.limits import login_limits, rate_limits
from auth_service.store.limits.login_limits import LoginLimits
from auth_service.store.limits.rate_limits import Bucket
from auth_service.store.schema.tables import users as users_table
from auth_service.store.users import users
from auth_service.store.users.users import Credentials
from auth_service.vocabulary.password_costs import PasswordCost

# FOR UPDATE: a password change, which signs the user out everywhere, waits until the login session is committed.
_CURRENT_HASH = select(users_table.c.password_hash).where(users_table.c.sub == bindparam("sub")).with_for_update()
_SUB = select(users_table.c.sub).where(users_table.c.email_key == bindparam("email_key"))


@dataclass(frozen=True)
class FailedLogin:
    """A failed attempt for the audit trail, with the buckets that limit the rows of failed and of slowed attempts.

    `email_key` is looked up and not stored, because some people type their password into the email field. None for
    text that a database cannot store.
    """

    email_key: str | None
    address: str
    audit_limit: Bucket
    slowed_audit_limit: Bucket


@dataclass(frozen=True)
class Admission:
    """With `wait_ms` > 0 the attempt is refused for that long. Otherwise it was counted in the buckets `charged`.

    `credentials` are those of an enabled user with that email. `costs` are the password costs of all users.
    """

    wait_ms: int
    charged: tuple[Bucket, ...] = ()
    credentials: Credentials | None = None
    costs: tuple[PasswordCost, ...] = ()


@dataclass(frozen=True)
class PasswordUse:
    """A right password. A `CredentialUse`.

    `credentials` are those that the password was checked against. `better_hash` replaces an outdated hash of the same
    password. `charged` are the buckets in which the attempt was counted.
    """

    credentials: Credentials
    better_hash: str | None
    charged: tuple[Bucket, ...]

    def lock(self, connection: Connection) -> bool:
        """Lock the user's row. False if the stored hash is another one by now."""
        current = connection.execute(_CURRENT_HASH, {"sub": self.credentials.sub}).scalar_one_or_none()
        return current == self.credentials.password_hash

    def record(self, connection: Connection) -> None:
        """Refund the attempt and store the better hash, if any."""
        rate_limits.refund(connection, self.charged)
        old = self.credentials.password_hash
        if self.better_hash is not None and old is not None:
            users.upgrade_password_hash(connection, self.credentials.sub, old=old, new=self.better_hash)


def admit_attempt(connection: Connection, limits: LoginLimits, failure: FailedLogin, *, now_ms: int) -> Admission:
    """Look up the account and count the attempt, before the password is checked.

    So concurrent attempts are all counted.
    """
    key = failure.email_key
    credentials = None if key is None else users.find_credentials(connection, key)
    generation = credentials.password_generation if credentials else None
    charge = login_limits.charge_login(connection, limits, generation=generation, now_ms=now_ms)
    if charge.wait_ms and rate_limits.charge(connection, [failure.slowed_audit_limit], now_ms=now_ms) == 0:
        _audit(connection, "login_slowed", failure, now_ms=now_ms)
    else:
        rate_limits.prune_empty(connection, now_ms=now_ms)
    if charge.wait_ms:
        return Admission(charge.wait_ms)
    return Admission(0, charge.buckets, credentials, users.password_costs(connection))


def record_failed_login(connection: Connection, failure: FailedLogin, *, now_ms: int) -> None:
    """Audit a wrong password, an unknown user or a disabled one. All three take the same steps."""
    _audit(connection, "login_failed", failure, now_ms=now_ms)


def _audit(connection: Connection, event: Event, failure: FailedLogin, *, now_ms: int) -> None:
    sub = None
    if failure.email_key is not None:
        sub = connection.execute(_SUB, {"email_key": failure.email_key}).scalar_one_or_none()
    audit_limits.record(connection, event, failure.audit_limit, now_ms=now_ms, sub=sub, address=failure.address)
