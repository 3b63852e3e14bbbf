"""Cheap password hashes, because a real hash takes most of the time of a login."""

from collections.abc import Iterator

import pytest

from auth_service.authentication.users import passwords

_CHEAP = {"argon2__memory_cost": 64, "argon2__time_cost": 1}
_REAL = {name: value for name, value in passwords._CONTEXT.to_dict().items() if name in _CHEAP}


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> None:
    """In this process only. Services in other processes use real hashes."""
    _make(**_CHEAP)


@pytest.fixture
def real_hashes(cheap_hashes: None) -> Iterator[None]:
    _make(**_REAL)
    yield
    _make(**_CHEAP)


def _make(**cost: object) -> None:
    passwords._CONTEXT.update(**cost)
    passwords._dummy_hash.cache_clear()
