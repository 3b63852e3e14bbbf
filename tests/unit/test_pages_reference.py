"""The request reference on error pages: short enough to copy, and still a prefix of what the log holds."""

import pytest

from auth_service.pages.reference import reference


@pytest.mark.parametrize(
    "request_id", ["0123456789abcdef0123456789abcdef", "550e8400-e29b-41d4-a716-446655440000", "from-the-proxy.1"]
)
def test_reference_is_a_short_prefix_of_the_request_id(request_id: str) -> None:
    shown = "".join(reference(request_id))
    assert request_id.startswith(shown)
    assert len(shown) == 12


def test_reference_is_shown_in_groups_of_four() -> None:
    assert reference("0123456789abcdef0123456789abcdef") == ("0123", "4567", "89ab")


def test_short_request_id_is_its_own_reference() -> None:
    assert "".join(reference("12345678")) == "12345678"
    assert reference("") == ()
