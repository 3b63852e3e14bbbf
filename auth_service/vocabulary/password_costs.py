"""The work of checking a password against a stored hash, read from the text of the hash."""

import re
from dataclasses import dataclass

_ARGON2 = re.compile(r"\$(argon2(?:id|i|d)\$v=\d{2}\$m=(\d{1,7}),t=(\d{1,2}),p=\d{1,3})\$.*", re.DOTALL)
_BCRYPT = re.compile(r"(?:bcrypt_sha256\$)?\$2[abxy]?\$(\d\d)\$.*", re.DOTALL)
_BCRYPT_SHA256 = re.compile(r"\$bcrypt-sha256\$(?:v=2,t=2[aby],r=|2[aby],)(\d{1,2})\$.*", re.DOTALL)
_PBKDF2 = re.compile(r"(?:pbkdf2_(sha256|sha1)|\$pbkdf2(?:-(sha256|sha512))?)\$(\d{1,8})\$.*", re.DOTALL)

_MAX_ARGON2_KIB = 1_048_576
_MAX_ARGON2_TIME = 16
_MAX_BCRYPT_ROUNDS = 16
_MAX_PBKDF2_ROUNDS = 10_000_000
"""Costlier hashes take seconds, and would delay all other logins."""


@dataclass(frozen=True)
class PasswordCost:
    """`amount` is the work within one `family`: PBKDF2 iterations with one digest, 2^rounds of bcrypt, or 1 for
    argon2 with the parameters that the family names. Costs of one family can be added.
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
    return None


def without_prefix(password_hash: str) -> str:
    """The hash without the prefix that Django adds to two common forms: `argon2$argon2id$…`, `bcrypt$$2b$…`."""
    if password_hash.startswith("argon2$argon2"):
        return password_hash.removeprefix("argon2")
    return password_hash.removeprefix("bcrypt$")
