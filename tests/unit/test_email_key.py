"""Two spellings of one email address have one key."""

import pytest

from auth_service.store.users.users import email_key


@pytest.mark.parametrize(
    "spelling",
    [
        *("ada@bücher.example", "ADA@Bücher.Example", "ada@bu\u0308cher.example"),
        *("ada@xn--bcher-kva.example", "Ada@XN--BCHER-KVA.example"),
    ],
)
def test_a_domain_in_its_xn_form_is_the_one_in_unicode(spelling: str) -> None:
    assert email_key(spelling) == "ada@bücher.example"


@pytest.mark.parametrize("email", ["xn--bcher-kva@example.com", "ada@xn--example-.com", "ada@xn--.com", "xn--", ""])
def test_only_a_valid_label_of_the_domain_is_read_so(email: str) -> None:
    """Anything else would let one address pose as another."""
    assert email_key(email) == email
