"""The key under which an email address is looked up: the same for all its spellings."""

import pytest

from auth_service.store.users.users import email_key


@pytest.mark.parametrize(
    "spelling",
    [
        *("ada@bücher.example", "ADA@Bücher.Example", "ada@bu\u0308cher.example"),
        *("ada@xn--bcher-kva.example", "Ada@XN--BCHER-KVA.example"),
    ],
)
def test_all_spellings_of_an_internationalized_domain_have_one_key(spelling: str) -> None:
    assert email_key(spelling) == "ada@bücher.example"


@pytest.mark.parametrize("email", ["xn--bcher-kva@example.com", "ada@xn--example-.com", "ada@xn--.com", "xn--", ""])
def test_only_valid_xn_labels_of_the_domain_are_decoded(email: str) -> None:
    """Otherwise one address could stand for another."""
    assert email_key(email) == email
