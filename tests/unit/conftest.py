"""The far sides: a clock that can be moved, an issuer that can be spoilt, and what the example app talks to."""

import pytest

from tests.support.clock import MovableClock
from tests.support.token_issuer import TokenIssuer
from tests.support.web_app import app_session, app_settings, browser, far_side
from tests.support.web_app_logout import sign

__all__ = ["app_session", "app_settings", "browser", "far_side", "sign"]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def issuer(clock: MovableClock) -> TokenIssuer:
    return TokenIssuer(clock)
