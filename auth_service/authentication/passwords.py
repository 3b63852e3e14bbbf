"""Passwords against their hashes, off the event loop."""

import asyncio
import logging
import os
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from passlib.context import CryptContext  # type: ignore[import-untyped]

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

_MOST_CHARACTERS = 1024
_MOST_BYTES = 4096


@dataclass(frozen=True)
class Verdict:
    """`better_hash` is of the same password, to be stored in place of a hash that we would not make today."""

    matches: bool
    better_hash: str | None = None


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
        """Whether this is, by its form, a hash that somebody could sign in with."""
        try:
            readable = _without_prefix(password_hash)
            scheme = _CONTEXT.identify(readable)
            return scheme is not None and "checksum" in _CONTEXT.handler(scheme).parsehash(readable)
        except (ValueError, TypeError, ArithmeticError):
            return False

    async def verify(self, password: str, password_hash: str | None) -> Verdict:
        """Whether they belong together; None is the hash of a user who does not exist or has no password.

        Any password and any hash get a Verdict, the impossible ones a negative one that takes as long as any other.
        Raises TemporarilyUnavailable when the queue is full. Who is cancelled while waiting gives up the place.
        """
        if not self._slots.acquire(blocking=False):
            raise TemporarilyUnavailable("too many passwords are being checked", retry_after=1)
        try:
            work = self._executor.submit(self._verify, password, password_hash)
        except RuntimeError:
            self._slots.release()
            raise TemporarilyUnavailable("the service is stopping", retry_after=1) from None
        work.add_done_callback(lambda _: self._slots.release())
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """Let what is being hashed finish, and nothing else."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, password_hash: str | None) -> Verdict:
        if password_hash is not None and _is_possible(password):
            try:
                return _compare(password, password_hash)
            except Exception as reason:  # passlib and its backends raise a dozen kinds for a malformed hash
                _log.error(
                    "a stored password hash cannot be read (%s): nobody can sign in with it", type(reason).__name__
                )
        _CONTEXT.verify("somebody's", self._dummy.result())
        return Verdict(matches=False)


@cache
def _dummy_hash() -> str:
    """What an unknown user's password is compared with."""
    return Passwords.hash("nobody's")


def _compare(password: str, password_hash: str) -> Verdict:
    readable = _without_prefix(password_hash)
    scheme = _CONTEXT.identify(readable, required=True)
    normalized = unicodedata.normalize("NFC", password)
    for spelling in [normalized] if scheme == _OURS else dict.fromkeys([password, normalized]):
        hashed = spelling.encode()
        if scheme == _CUT_AT_72_BYTES:
            hashed = hashed[:72]
        if _CONTEXT.verify(hashed, readable):
            # What bcrypt never looked at may hold a slip of the finger: it does not become part of the password.
            is_whole = len(hashed) == len(spelling.encode())
            # Costlier hashes are replaced, too: where all cost the same, time tells nobody who has an account.
            outdated = is_whole and _CONTEXT.needs_update(readable)
            return Verdict(matches=True, better_hash=Passwords.hash(password) if outdated else None)
    return Verdict(matches=False)


def _without_prefix(password_hash: str) -> str:
    """Django puts a word before two forms that are otherwise everybody's: `argon2$argon2id$…` and `bcrypt$$2b$…`."""
    if password_hash.startswith("argon2$argon2"):
        return password_hash.removeprefix("argon2")
    return password_hash.removeprefix("bcrypt$")


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
