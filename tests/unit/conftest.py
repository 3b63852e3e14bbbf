"""A movable clock, an issuer, an empty store, and the upstream services of the example app."""

from collections.abc import AsyncIterator

import pytest

from tallystick_service.store import Store
from tests.support.clock import MovableClock
from tests.support.patience import patient_store
from tests.support.token_issuer import TokenIssuer
from tests.support.web_app import app_session, app_settings, browser, upstream
from tests.support.web_app_logout import sign

__all__ = ["app_session", "app_settings", "browser", "sign", "upstream"]


@pytest.fixture
async def store(auth_tables_url: str) -> AsyncIterator[Store]:
    """The auth service's tables, empty, on either database."""
    store = patient_store(auth_tables_url)
    yield store
    await store.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def issuer(clock: MovableClock) -> TokenIssuer:
    return TokenIssuer(clock)
