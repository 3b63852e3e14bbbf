"""Hash passwords and compare them with stored hashes, in threads beside the event loop."""

import asyncio
import logging
import os
import sys
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

from passlib.context import CryptContext  # type: ignore[import-untyped]

from auth_service.authentication.users.django_scrypt import DjangoScrypt, waste_scrypt
from auth_service.vocabulary.password_costs import PasswordCost, cost_of, without_prefix
from tallystick.errors import TemporarilyUnavailable

_log = logging.getLogger(__name__)

_PREFERRED_SCHEME = "argon2"
_BCRYPT = "bcrypt"
_SCRYPT = "scrypt$"
_CONTEXT = CryptContext(
    # New hashes have the first scheme. Hashes of the others are accepted, and replaced at the next login.
    schemes=[
        _PREFERRED_SCHEME,
        "django_pbkdf2_sha256",
        "django_pbkdf2_sha1",
        "django_bcrypt_sha256",
        DjangoScrypt,
        _BCRYPT,
        "bcrypt_sha256",
        "pbkdf2_sha256",
        "pbkdf2_sha512",
        "pbkdf2_sha1",
    ],
    deprecated=["auto"],
    # The second of OWASP's recommended settings: 20 ms, and 19 MiB for each hashing thread.
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)

_DUMMY = "no user has this password"

_MAX_CHARACTERS = 1024
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Verdict:
    """`better_hash` is a hash of the same password that should replace an outdated one.

    `work` is the sum of the computed hashes, for each family of `PasswordCost`.
    """

    matches: bool
    better_hash: str | None = None
    work: Mapping[str, int] = field(default_factory=dict, compare=False)


class Passwords:
    """Hashes in `threads` threads (by default one per core). At most `queue` further passwords wait for a thread.

    On Linux the threads have niceness +10, so that many logins do not slow down requests that hash nothing.
    """

    def __init__(self, threads: int | None = None, queue: int = 64) -> None:
        self.threads = threads or _cores()
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="passwords", initializer=_be_nice)
        self._slots = threading.BoundedSemaphore(self.threads + queue)
        # Computed before the first login. This also loads the backend.
        self._dummy = self._executor.submit(_dummy_hash)

    @staticmethod
    def hash(password: str) -> str:
        """A new hash of the password in NFC. Takes 20 ms in the calling thread.

        Raises ValueError for a password that `check_possible` refuses.
        """
        Passwords.check_possible(password)
        return str(_CONTEXT.hash(unicodedata.normalize("NFC", password)))

    @staticmethod
    def check_possible(password: str) -> None:
        """Raises ValueError for a password that no login accepts: over 1024 characters, with NUL or lone surrogates."""
        if not _is_possible(password):
            raise ValueError("a password has at most 1024 characters, and neither NUL nor lone surrogates among them")

    @staticmethod
    def identify(password_hash: str) -> bool:
        """Whether this is a well-formed hash that users can sign in with, and not too costly."""
        if cost_of(password_hash) is None:
            return False
        try:
            readable = without_prefix(password_hash)
            scheme = _CONTEXT.identify(readable)
            return scheme is not None and "checksum" in _CONTEXT.handler(scheme).parsehash(readable)
        except (ValueError, TypeError, ArithmeticError):
            return False

    async def verify(self, password: str, password_hash: str | None, *, in_use: Iterable[PasswordCost] = ()) -> Verdict:
        """Compare a password with a hash. None stands for the hash of an unknown user, or of one without a password.

        Returns a Verdict for any password and any hash, malformed ones included. A negative one takes the same work for
        None and for every hash whose cost is one of `in_use`: for each family of hashes, the largest cost in use.
        Raises TemporarilyUnavailable when the queue is full. A cancelled caller frees its place in the queue.
        """
        if not self._slots.acquire(blocking=False):
            raise TemporarilyUnavailable("too many passwords are being checked", retry_after=1, reason="too_busy")
        try:
            work = self._executor.submit(self._verify, password, password_hash, tuple(in_use))
        except RuntimeError:
            self._slots.release()
            raise TemporarilyUnavailable("the service is stopping", retry_after=1) from None
        work.add_done_callback(lambda _: self._slots.release())
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """Finish the hashes that are being computed, and cancel those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, password_hash: str | None, in_use: tuple[PasswordCost, ...]) -> Verdict:
        work = Work()
        spellings = [password]
        if _is_possible(password):
            spellings = list(dict.fromkeys([password, unicodedata.normalize("NFC", password)]))
            if password_hash is not None:
                try:
                    verdict = _compare(spellings, password_hash, work)
                except Exception as reason:  # passlib and its backends raise many types for a malformed hash
                    _log.error(
                        "a stored password hash cannot be read (%s): its user cannot sign in", type(reason).__name__
                    )
                else:
                    if verdict.matches:
                        return verdict
        expected: dict[str, int] = {}
        preferred = cost_of(self._dummy.result())
        for cost in [*in_use, *([preferred] if preferred else ())]:
            tries = 1 if cost.family.startswith(_PREFERRED_SCHEME) else len(spellings)
            expected[cost.family] = max(expected.get(cost.family, 0), cost.amount * tries)
        for family, amount in expected.items():
            work.bring_up_to(PasswordCost(family, amount))
        return Verdict(matches=False, work=work.done)


class Work:
    """Computes hashes and counts them. `done` holds the sum for each family of `PasswordCost`."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def verify(self, secret: bytes, readable: str) -> bool:
        """Whether `readable` is a hash of `secret`."""
        matches = bool(_CONTEXT.verify(secret, readable))
        if cost := cost_of(readable):
            self._count(cost)
        return matches

    def bring_up_to(self, cost: PasswordCost) -> None:
        """Compute what is missing until the work in this family is `cost`."""
        missing = cost.amount - self.done.get(cost.family, 0)
        if missing > 0:
            _waste(PasswordCost(cost.family, missing))
            self._count(PasswordCost(cost.family, missing))

    def _count(self, cost: PasswordCost) -> None:
        self.done[cost.family] = self.done.get(cost.family, 0) + cost.amount


def _waste(cost: PasswordCost) -> None:
    """Compute hashes of that cost, and discard them."""
    if cost.family.startswith(_PREFERRED_SCHEME):
        kind, _, parameters = cost.family.removeprefix(_PREFERRED_SCHEME).split("$")
        m, t, p = (int(parameter.partition("=")[2]) for parameter in parameters.split(","))
        handler = _CONTEXT.handler(_PREFERRED_SCHEME).using(type=kind, memory_cost=m, time_cost=t, parallelism=p)
        for _ in range(cost.amount):
            handler.hash(_DUMMY)
    elif cost.family.startswith(_SCRYPT):
        n, r, p = (int(parameter.partition("=")[2]) for parameter in cost.family.removeprefix(_SCRYPT).split(","))
        for _ in range(cost.amount):
            waste_scrypt(n, r, p, _DUMMY)
    elif cost.family == _BCRYPT:
        # bcrypt can only do 2^n rounds: one hash for each bit of the amount.
        for rounds in range(4, cost.amount.bit_length()):
            if cost.amount >> rounds & 1:
                _CONTEXT.handler(_BCRYPT).using(rounds=rounds).hash(_DUMMY)
    else:
        _CONTEXT.handler(cost.family).using(rounds=cost.amount).hash(_DUMMY)


@cache
def _dummy_hash() -> str:
    """A new hash. Its cost is that of a user whose hash is up to date."""
    return Passwords.hash(_DUMMY)


def _compare(spellings: list[str], password_hash: str, work: Work) -> Verdict:
    """`spellings` are the password as typed and, last, in NFC."""
    readable = without_prefix(password_hash)
    scheme = _CONTEXT.identify(readable, required=True)
    normalized = spellings[-1]
    for spelling in [normalized] if scheme == _PREFERRED_SCHEME else spellings:
        secret = spelling.encode()
        if scheme == _BCRYPT:
            secret = secret[:72]  # bcrypt ignores the rest
        if work.verify(secret, readable):
            # Bytes that bcrypt ignored may be a typing error, so a password with such bytes is not hashed again.
            is_whole = len(secret) == len(spelling.encode())
            outdated = is_whole and _CONTEXT.needs_update(readable)
            return Verdict(matches=True, better_hash=Passwords.hash(normalized) if outdated else None, work=work.done)
    return Verdict(matches=False, work=work.done)


def _is_possible(password: str) -> bool:
    if len(password) > _MAX_CHARACTERS or "\0" in password:
        return False
    try:
        return len(password.encode()) <= _MAX_BYTES
    except UnicodeEncodeError:
        return False


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _be_nice() -> None:
    if sys.platform == "linux":  # elsewhere niceness belongs to the whole process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + 10, 19))
