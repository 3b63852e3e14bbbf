"""What a password hash costs: most of the time of a login, which is of no interest to a test about something else."""

from collections.abc import Iterator

import pytest

from auth_service.authentication import passwords

_CHEAP = {"argon2__memory_cost": 64, "argon2__time_cost": 1}


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> None:
    """In this process; services that are processes of their own hash as they do."""
    passwords._CONTEXT.update(_CHEAP)


@pytest.fixture
def real_hashes(cheap_hashes: None) -> Iterator[None]:
    passwords._CONTEXT.load(_REAL)
    yield
    passwords._CONTEXT.update(_CHEAP)


_REAL = passwords._CONTEXT.to_dict()
