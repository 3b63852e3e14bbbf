"""The rules for new passwords, for commands and for the configuration file."""

import pytest

from auth_service.authentication.users.password_rules import check_new_password, hash_new_password
from auth_service.authentication.users.passwords import Passwords


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "at least 8"),
        ("sevench", "at least 8"),
        ("p" * 1025, "at most 1024"),
        ("with a \0 in it", "NUL"),
        ("with a \udcff in it", "surrogates"),
    ],
)
def test_new_password_has_8_to_1024_possible_characters(password: str, reason: str) -> None:
    for rule in (check_new_password, hash_new_password):
        with pytest.raises(ValueError, match=reason) as refusal:
            rule(password)
        assert not password or password not in str(refusal.value)


@pytest.mark.parametrize("password", ["eight ch", "p" * 1024, "pässwörd"])
def test_new_password_of_permitted_length_is_hashed(password: str) -> None:
    assert check_new_password(password) == password
    assert Passwords.identify(hash_new_password(password))
