"""The far side of the verifier's tests: a clock that can be moved, and an issuer that can be spoilt."""

import pytest

from tests.support.clock import MovableClock
from tests.support.token_issuer import TokenIssuer


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def issuer(clock: MovableClock) -> TokenIssuer:
    return TokenIssuer(clock)
