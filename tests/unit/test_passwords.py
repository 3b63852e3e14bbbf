"""Hashing: accepted and replaced hashes, equal work for failed logins, and no error for any input."""

import asyncio
import base64
import hashlib
import os
import sys
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from auth_service.authentication.users.passwords import Passwords, Verdict
from auth_service.vocabulary.password_costs import PasswordCost, cost_of
from tallystick.errors import TemporarilyUnavailable

RFC_6070_SHA1 = bytes.fromhex("4b007901b765489abead49d926f721d065a429c1")
RFC_7914_SHA256 = bytes.fromhex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def django_pbkdf2(password: str, rounds: int = 1000) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"seasalt", rounds)
    return f"pbkdf2_sha256${rounds}$seasalt${base64.b64encode(digest).decode()}"


def django_bcrypt_sha256(password: str) -> str:
    digest = hashlib.sha256(password.encode()).hexdigest().encode()
    return f"bcrypt_sha256${bcrypt.hashpw(digest, bcrypt.gensalt(4)).decode()}"


SCRYPT_DIGEST = "iJnDbv8J286xDoxKPAXwZ9kj1BGixW/pMnjMo661tRYZkhOhMIZN3nQUUitlxmT1EqMUvB9Qx1tD23DFmTwruA=="
DJANGO_SCRYPT = f"scrypt$1024$seasalt2$8$1${SCRYPT_DIGEST}"
"""Of the password "l\u00e8tmein"."""

OF_OTHER_SYSTEMS = {
    "Django 3.2 pbkdf2_sha256": (
        "lètmein",
        "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=",
    ),
    "Django pbkdf2_sha256, RFC 7914": ("passwd", f"pbkdf2_sha256$1$salt${base64.b64encode(RFC_7914_SHA256).decode()}"),
    "Django pbkdf2_sha1, RFC 6070": ("password", f"pbkdf2_sha1$4096$salt${base64.b64encode(RFC_6070_SHA1).decode()}"),
    "Django argon2i": ("secret", "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    "Django argon2id": (
        "password",
        "argon2$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ),
    "Django bcrypt": ("U*U", "bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "Django bcrypt_sha256": ("a password", django_bcrypt_sha256("a password")),
    "Django scrypt": (
        "l\u00e8tmein",
        DJANGO_SCRYPT,
    ),
    "bcrypt 2a": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt 2y": ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "passlib bcrypt-sha256": (
        "password",
        "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
    ),
    "passlib pbkdf2-sha256": ("passwd", "$pbkdf2-sha256$1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw"),
    "passlib pbkdf2": ("password", "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE"),
    "argon2id, cheaper than ours": (
        "password",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ),
    "argon2i": ("password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"),
}

MALFORMED = [
    "",
    "x",
    "argon2$",
    "$argon2id$",
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ",
    "$argon2id$v=19$m=19456,t=2,p=1$aaaa$bbbb",
    "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2x$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q",
    "$2b$99$x",
    "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "bcrypt$$2b$04$",
    "pbkdf2_sha256$x$y$z",
    "pbkdf2_sha256$9999999999999$abc$abc",
    DJANGO_SCRYPT[:-1],
    f"scrypt$1023$seasalt2$8$1${SCRYPT_DIGEST}",
    f"scrypt$0$seasalt2$8$1${SCRYPT_DIGEST}",
    f"scrypt$1024$seasalt2$0$1${SCRYPT_DIGEST}",
    f"scrypt$65536$seasalt2$1$1${SCRYPT_DIGEST}",
    f"scrypt$1024$$8$1${SCRYPT_DIGEST}",
    "\ud800",
    "$argon2id$" + "x" * 10_000,
]

IMPOSSIBLE = ["a\0b", "\ud800", "p" * 1025, "\U0001f511" * 1025]


pytestmark = pytest.mark.usefixtures("real_hashes")


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_password_matches_only_its_own_hash(passwords: Passwords) -> None:
    password_hash = passwords.hash("correct horse")
    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify("correct horse", password_hash) == Verdict(matches=True)
    assert await passwords.verify("correct house", password_hash) == Verdict(matches=False)


IN_USE = {
    "ours": Passwords.hash("password"),
    "bcrypt": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "costlier bcrypt": "$2b$07$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    "Django bcrypt_sha256": django_bcrypt_sha256("a password"),
    "Django PBKDF2": django_pbkdf2("password"),
    "costlier Django PBKDF2": django_pbkdf2("password", rounds=3000),
    "passlib PBKDF2": "$pbkdf2-sha256$1000$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
    "PBKDF2 with SHA-1": "pbkdf2_sha1$4096$salt$SwB5AbdlSJq+rUnZJvch0GWkKcE=",
    "another argon2": "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "Django scrypt": DJANGO_SCRYPT,
    "no user": None,
    "unreadable": "x",
    "unreadable in its end": "$2b$07$x",
}


@pytest.mark.parametrize("guess", ["wrong", DECOMPOSED, "", *IMPOSSIBLE])
async def test_failed_login_takes_the_same_work_for_every_account(guess: str) -> None:
    passwords = Passwords(threads=1)
    in_use = [cost for cost in map(cost_of, filter(None, IN_USE.values())) if cost is not None]
    work = {
        name: (await passwords.verify(guess, password_hash, in_use=in_use)).work
        for name, password_hash in IN_USE.items()
    }
    passwords.close()
    tries = 2 if guess == DECOMPOSED else 1
    assert work["no user"] == {
        (cost_of(IN_USE["ours"] or "") or in_use[0]).family: 1,
        "argon2id$v=19$m=256,t=2,p=1": 1,
        "bcrypt": 2**7 * tries,
        "pbkdf2_sha256": 3000 * tries,
        "pbkdf2_sha1": 4096 * tries,
        "scrypt$n=1024,r=8,p=1": tries,
    }
    for name, done in work.items():
        assert done == work["no user"], name


async def test_correct_password_costs_only_the_work_of_its_own_hash(passwords: Passwords) -> None:
    in_use = [cost for cost in map(cost_of, filter(None, IN_USE.values())) if cost is not None]
    verdict = await passwords.verify("password", IN_USE["Django PBKDF2"], in_use=in_use)
    assert verdict.work == {"pbkdf2_sha256": 1000}


@pytest.mark.parametrize(
    "password_hash",
    [
        "$argon2id$v=19$m=2097152,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=99,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        f"scrypt$1048576$seasalt2$8$1${SCRYPT_DIGEST}",
        f"scrypt$16384$seasalt2$32$16${SCRYPT_DIGEST}",
        "pbkdf2_sha256$10000001$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=",
    ],
)
def test_too_costly_hash_is_not_accepted(password_hash: str) -> None:
    assert not Passwords.identify(password_hash)


async def test_no_password_matches_for_an_unknown_user(passwords: Passwords) -> None:
    for guess in ("", "a password", "another password", *IMPOSSIBLE):
        assert await passwords.verify(guess, None) == Verdict(matches=False)


async def test_composed_and_decomposed_characters_are_the_same_password(passwords: Passwords) -> None:
    assert (await passwords.verify(DECOMPOSED, passwords.hash(COMPOSED))).matches
    assert (await passwords.verify(COMPOSED, passwords.hash(DECOMPOSED))).matches


@pytest.mark.parametrize("spelling", [COMPOSED, DECOMPOSED])
async def test_hash_of_another_system_matches_the_password_as_typed_or_in_nfc(
    passwords: Passwords, spelling: str
) -> None:
    assert (await passwords.verify(spelling, django_pbkdf2(spelling))).matches
    assert (await passwords.verify(DECOMPOSED, django_pbkdf2(COMPOSED))).matches


@pytest.mark.parametrize("system", OF_OTHER_SYSTEMS)
async def test_hash_of_another_system_is_accepted_and_replaced(passwords: Passwords, system: str) -> None:
    password, password_hash = OF_OTHER_SYSTEMS[system]
    assert passwords.identify(password_hash)
    cost = cost_of(password_hash)
    assert cost is not None
    assert PasswordCost.parse(str(cost)) == cost
    assert await passwords.verify(password + "x", password_hash) == Verdict(matches=False)
    verdict = await passwords.verify(password, password_hash)
    assert verdict.matches
    assert await passwords.verify(password, verdict.better_hash) == Verdict(matches=True)


async def test_bytes_that_bcrypt_ignores_do_not_become_part_of_the_password(passwords: Passwords) -> None:
    read = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    password_hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
    assert await passwords.verify(read + "chars after 72 are ignored", password_hash) == Verdict(matches=True)
    assert (await passwords.verify(read, password_hash)).better_hash is not None


@pytest.mark.parametrize("password_hash", MALFORMED)
async def test_malformed_hash_matches_no_password(passwords: Passwords, password_hash: str) -> None:
    assert not passwords.identify(password_hash)
    assert await passwords.verify("password", password_hash) == Verdict(matches=False)


@pytest.mark.parametrize("password", IMPOSSIBLE)
async def test_impossible_password_matches_no_hash(passwords: Passwords, password: str) -> None:
    assert await passwords.verify(password, passwords.hash("password")) == Verdict(matches=False)
    with pytest.raises(ValueError, match="at most 1024 characters"):
        passwords.hash(password)


async def test_every_character_of_a_long_password_counts(passwords: Passwords) -> None:
    longest = "\U0001f511" * 1024
    password_hash = passwords.hash(longest)
    assert (await passwords.verify(longest, password_hash)).matches
    assert not (await passwords.verify(longest[:-1], password_hash)).matches


SLOW = django_pbkdf2("password", rounds=1_000_000)
"""Takes longer to verify than the next few lines of a test take to run."""


async def test_full_queue_refuses_with_retry_after() -> None:
    passwords = Passwords(threads=1, queue=1)
    outcomes = await asyncio.gather(*(passwords.verify("x", SLOW) for _ in range(5)), return_exceptions=True)
    passwords.close()
    assert outcomes[:2] == [Verdict(matches=False)] * 2
    for refusal in outcomes[2:]:
        assert isinstance(refusal, TemporarilyUnavailable)
        assert refusal.retry_after == 1


async def test_cancelled_caller_frees_its_place_in_the_queue() -> None:
    passwords = Passwords(threads=1, queue=1)
    first = asyncio.create_task(passwords.verify("x", SLOW))
    second = asyncio.create_task(passwords.verify("x", SLOW))
    await asyncio.sleep(0)
    with pytest.raises(TemporarilyUnavailable):
        await passwords.verify("x", SLOW)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert await passwords.verify("password", django_pbkdf2("password", rounds=1)) != Verdict(matches=False)
    await first
    passwords.close()


async def test_verify_is_refused_after_close() -> None:
    passwords = Passwords(threads=1)
    passwords.close()
    with pytest.raises(TemporarilyUnavailable):
        await passwords.verify("x", None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness belongs to the whole process")
async def test_hashing_threads_have_a_higher_niceness(passwords: Passwords) -> None:
    await passwords.verify("x", None)
    expected = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
    threads = [thread.native_id for thread in threading.enumerate() if thread.name.startswith("passwords")]
    assert threads
    assert {os.getpriority(os.PRIO_PROCESS, thread or 0) for thread in threads} == {expected}
