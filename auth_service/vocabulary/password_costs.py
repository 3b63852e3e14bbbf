"""The work of checking a password against a stored hash, read from the text of the hash."""

import re
from dataclasses import dataclass

_ARGON2 = re.compile(r"\$(argon2(?:id|i|d)\$v=\d{2}\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,3}))\$.*", re.DOTALL)
_BCRYPT = re.compile(r"(?:bcrypt_sha256\$)?\$2[abxy]?\$(\d\d)\$.*", re.DOTALL)
_BCRYPT_SHA256 = re.compile(r"\$bcrypt-sha256\$(?:v=2,t=2[aby],r=|2[aby],)(\d{1,2})\$.*", re.DOTALL)
_PBKDF2 = re.compile(r"(?:pbkdf2_(sha256|sha1)|\$pbkdf2(?:-(sha256|sha512))?)\$(\d{1,8})\$.*", re.DOTALL)
_SCRYPT = re.compile(r"scrypt\$(\d{1,8})\$[^$]+\$(\d{1,3})\$(\d{1,3})\$.*", re.DOTALL | re.ASCII)

_MAX_ARGON2_KIB = 1_048_576
_MAX_ARGON2_TIME = 16
_MAX_BCRYPT_ROUNDS = 16
_MAX_PBKDF2_ROUNDS = 10_000_000
_MAX_SCRYPT_BLOCKS = 2**20  # n·r, each 128 bytes of memory
_MAX_SCRYPT_WORK = 2**22  # n·r·p
"""Costlier hashes take seconds, and would delay all other logins."""

_MAX_IMPORTED_ARGON2_KIB = 262_144
_MAX_IMPORTED_ARGON2_WORK = 1_048_576  # KiB, times the passes
_MAX_IMPORTED_ARGON2_LANES = 16
_MAX_IMPORTED_AMOUNT = {
    "bcrypt": 2**14,
    "pbkdf2_sha1": 3_000_000,
    "pbkdf2_sha256": 3_000_000,
    "pbkdf2_sha512": 3_000_000,
}
"""Lower bounds for imported hashes, whose parameters another system chose: at most about a second each."""


@dataclass(frozen=True)
class PasswordCost:
    """`amount` is the work within one `family`: PBKDF2 iterations with one digest, 2^rounds of bcrypt, or 1 for
    argon2 and scrypt with the parameters that the family names. Costs of one family can be added.
    """

    family: str
    amount: int

    def __str__(self) -> str:
        return f"{self.family}:{self.amount}"

    @classmethod
    def parse(cls, text: str) -> "PasswordCost":
        """The inverse of `str`."""
        family, _, amount = text.rpartition(":")
        return cls(family, int(amount))


def cost_of(password_hash: str) -> PasswordCost | None:
    """The cost of a hash. None for a malformed one, or one that is too costly to be used."""
    text = without_prefix(password_hash)
    if match := _ARGON2.fullmatch(text):
        is_usable = 0 < int(match[2]) <= _MAX_ARGON2_KIB and 0 < int(match[3]) <= _MAX_ARGON2_TIME
        return PasswordCost(match[1], 1) if is_usable else None
    if match := _BCRYPT.fullmatch(text) or _BCRYPT_SHA256.fullmatch(text):
        rounds = int(match[1])
        return PasswordCost("bcrypt", 2**rounds) if 4 <= rounds <= _MAX_BCRYPT_ROUNDS else None
    if match := _PBKDF2.fullmatch(text):
        rounds = int(match[3])
        digest = match[1] or match[2] or "sha1"
        return PasswordCost(f"pbkdf2_{digest}", rounds) if 0 < rounds <= _MAX_PBKDF2_ROUNDS else None
    if match := _SCRYPT.fullmatch(text):
        n, r, p = int(match[1]), int(match[2]), int(match[3])
        is_usable = n > 1 and n.bit_count() == 1 and r > 0 and p > 0 and n.bit_length() <= 16 * r  # RFC 7914 §2
        is_usable = is_usable and n * r <= _MAX_SCRYPT_BLOCKS and n * r * p <= _MAX_SCRYPT_WORK
        return PasswordCost(f"scrypt$n={n},r={r},p={p}", 1) if is_usable else None
    return None


def imported_cost_of(password_hash: str) -> PasswordCost | None:
    """The same with the lower bounds for imported users."""
    cost = cost_of(password_hash)
    if cost is None:
        return None
    if match := _ARGON2.fullmatch(without_prefix(password_hash)):
        m, t, p = int(match[2]), int(match[3]), int(match[4])
        is_usable = m <= _MAX_IMPORTED_ARGON2_KIB and m * t <= _MAX_IMPORTED_ARGON2_WORK
        return cost if is_usable and 0 < p <= _MAX_IMPORTED_ARGON2_LANES else None
    return cost if cost.amount <= _MAX_IMPORTED_AMOUNT.get(cost.family, 1) else None


def without_prefix(password_hash: str) -> str:
    """The hash without the prefix that Django adds to two common forms: `argon2$argon2id$…`, `bcrypt$$2b$…`."""
    if password_hash.startswith("argon2$argon2"):
        return password_hash.removeprefix("argon2")
    return password_hash.removeprefix("bcrypt$")
