"""The rules for a new password, which a command, the configuration file or a page can set."""

from auth_service.authentication.users.passwords import Passwords

MINIMUM_CHARACTERS = 8
"""NIST SP 800-63B §5.1.1.2."""


def check_new_password(password: str) -> str:
    """Return `password` unchanged. Raises ValueError, with a reason that does not repeat the password."""
    Passwords.check_possible(password)
    if len(password) < MINIMUM_CHARACTERS:
        raise ValueError(f"a password needs at least {MINIMUM_CHARACTERS} characters")
    return password


def hash_new_password(password: str) -> str:
    """The hash to store for a new password. Takes 20 ms in the calling thread.

    Raises ValueError for a password that `check_new_password` refuses.
    """
    return Passwords.hash(check_new_password(password))
