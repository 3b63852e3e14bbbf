"""Passwords against their hashes, off the event loop."""

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

from auth_service.vocabulary.password_costs import PasswordCost, cost_of, without_prefix
from tallystick.errors import TemporarilyUnavailable

_log = logging.getLogger(__name__)

_OURS = "argon2"
_CUT_AT_72_BYTES = "bcrypt"
_CONTEXT = CryptContext(
    # The first is what we make; the others are read, and replaced at the next login.
    schemes=[
        _OURS,
        "django_pbkdf2_sha256",
        "django_pbkdf2_sha1",
        "django_bcrypt_sha256",
        _CUT_AT_72_BYTES,
        "bcrypt_sha256",
        "pbkdf2_sha256",
        "pbkdf2_sha512",
        "pbkdf2_sha1",
    ],
    deprecated=["auto"],
    # OWASP's second choice: 20 ms, and 19 MiB for each thread that hashes.
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)

_DUMMY = "no user has this password"

_MOST_CHARACTERS = 1024
_MOST_BYTES = 4096


@dataclass(frozen=True)
class Verdict:
    """`better_hash` is of the same password, to be stored in place of a hash that we would not make today.

    `work` is the sum of the hashes that were computed, by family of `PasswordCost`.
    """

    matches: bool
    better_hash: str | None = None
    work: Mapping[str, int] = field(default_factory=dict, compare=False)


class Passwords:
    """Hashes in threads of its own, at most `threads` (one per core) at once with at most `queue` waiting for them.

    The threads are nice (+10, on Linux), so that a rush of logins does not slow the requests that hash nothing.
    """

    def __init__(self, threads: int | None = None, queue: int = 64) -> None:
        self.threads = threads or _cores()
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="passwords", initializer=_be_nice)
        self._slots = threading.BoundedSemaphore(self.threads + queue)
        # Made before the first login, it loads the backend, too.
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
        """Raises ValueError for a password that no login accepts: over 1024 characters, a NUL, a lone surrogate."""
        if not _is_possible(password):
            raise ValueError("a password has at most 1024 characters, and neither NUL nor lone surrogates among them")

    @staticmethod
    def identify(password_hash: str) -> bool:
        """Whether this is, by its form, a hash that a user can sign in with, and not too costly."""
        if cost_of(password_hash) is None:
            return False
        try:
            readable = without_prefix(password_hash)
            scheme = _CONTEXT.identify(readable)
            return scheme is not None and "checksum" in _CONTEXT.handler(scheme).parsehash(readable)
        except (ValueError, TypeError, ArithmeticError):
            return False

    async def verify(self, password: str, password_hash: str | None, *, in_use: Iterable[PasswordCost] = ()) -> Verdict:
        """Whether they belong together; None is the hash of a user who does not exist or has no password.

        Any password and any hash get a Verdict. A negative one takes the same work for every hash whose cost is one of
        `in_use`, and for None: for each family of hashes, the largest cost in use.
        Raises TemporarilyUnavailable when the queue is full. A cancelled caller leaves its place in the queue.
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
        """Let what is being hashed finish, and nothing else."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, password_hash: str | None, in_use: tuple[PasswordCost, ...]) -> Verdict:
        work = Work()
        spellings = [password]
        if _is_possible(password):
            spellings = list(dict.fromkeys([password, unicodedata.normalize("NFC", password)]))
            if password_hash is not None:
                try:
                    verdict = _compare(spellings, password_hash, work)
                except Exception as reason:  # passlib and its backends raise a dozen kinds for a malformed hash
                    _log.error(
                        "a stored password hash cannot be read (%s): its user cannot sign in", type(reason).__name__
                    )
                else:
                    if verdict.matches:
                        return verdict
        expected: dict[str, int] = {}
        ours = cost_of(self._dummy.result())
        for cost in [*in_use, *([ours] if ours else ())]:
            tries = 1 if cost.family.startswith(_OURS) else len(spellings)
            expected[cost.family] = max(expected.get(cost.family, 0), cost.amount * tries)
        for family, amount in expected.items():
            work.bring_up_to(PasswordCost(family, amount))
        return Verdict(matches=False, work=work.done)


class Work:
    """Computes hashes and counts them. `done` has the sum of each family of `PasswordCost`."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def verify(self, hashed: bytes, readable: str) -> bool:
        """Whether the hash `readable` is of `hashed`."""
        matches = bool(_CONTEXT.verify(hashed, readable))
        if cost := cost_of(readable):
            self._count(cost)
        return matches

    def bring_up_to(self, cost: PasswordCost) -> None:
        """Compute what is missing so that so much of this family was done; nothing when it was."""
        missing = cost.amount - self.done.get(cost.family, 0)
        if missing > 0:
            _waste(PasswordCost(cost.family, missing))
            self._count(PasswordCost(cost.family, missing))

    def _count(self, cost: PasswordCost) -> None:
        self.done[cost.family] = self.done.get(cost.family, 0) + cost.amount


def _waste(cost: PasswordCost) -> None:
    """Compute hashes of that cost, of no password."""
    if cost.family.startswith(_OURS):
        kind, _, parameters = cost.family.removeprefix(_OURS).split("$")
        m, t, p = (int(parameter.partition("=")[2]) for parameter in parameters.split(","))
        handler = _CONTEXT.handler(_OURS).using(type=kind, memory_cost=m, time_cost=t, parallelism=p)
        for _ in range(cost.amount):
            handler.hash(_DUMMY)
    elif cost.family == _CUT_AT_72_BYTES:
        # 2^n for each bit n: what lies between two costs is the sum of the powers of two from the one to the other.
        for rounds in range(4, cost.amount.bit_length()):
            if cost.amount >> rounds & 1:
                _CONTEXT.handler(_CUT_AT_72_BYTES).using(rounds=rounds).hash(_DUMMY)
    else:
        _CONTEXT.handler(cost.family).using(rounds=cost.amount).hash(_DUMMY)


@cache
def _dummy_hash() -> str:
    """A hash as we make them today: its cost is that of a user with such a one."""
    return Passwords.hash(_DUMMY)


def _compare(spellings: list[str], password_hash: str, work: Work) -> Verdict:
    """`spellings` are the password as it was typed and in NFC, which is the last of them."""
    readable = without_prefix(password_hash)
    scheme = _CONTEXT.identify(readable, required=True)
    normalized = spellings[-1]
    for spelling in [normalized] if scheme == _OURS else spellings:
        hashed = spelling.encode()
        if scheme == _CUT_AT_72_BYTES:
            hashed = hashed[:72]
        if work.verify(hashed, readable):
            # Bytes that bcrypt never read may be a typing error: they do not become part of the password.
            is_whole = len(hashed) == len(spelling.encode())
            outdated = is_whole and _CONTEXT.needs_update(readable)
            return Verdict(matches=True, better_hash=Passwords.hash(normalized) if outdated else None, work=work.done)
    return Verdict(matches=False, work=work.done)


def _is_possible(password: str) -> bool:
    if len(password) > _MOST_CHARACTERS or "\0" in password:
        return False
    try:
        return len(password.encode()) <= _MOST_BYTES
    except UnicodeEncodeError:
        return False


def _cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _be_nice() -> None:
    if sys.platform == "linux":  # elsewhere niceness belongs to the whole process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + 10, 19))
