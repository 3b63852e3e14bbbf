"""A provider that is configured as for a certification run, and the suite."""

from collections.abc import AsyncIterator

import pytest
from joserfc.jwk import RSAKey

from tests.conformance.plan import PLANS, Plan
from tests.conformance.site import Site
from tests.conformance.suite import CALLBACK, POST_LOGOUT, Suite
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EVERY_SCOPE, secret_of

REGISTRATION = {"mode": "open", "require_pkce": False, "trusted_redirect_origins": ["https://suite.example.net"]}
"""The same as in `make front`: errors are redirected to the suite's clients without a page, as its modules require."""

_OIDC_SCOPE = " ".join(EVERY_SCOPE.split()[:6])


def _static(client_id: str, method: str) -> dict[str, object]:
    return {
        "client_id": client_id,
        "client_secret": secret_of(client_id),
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [POST_LOGOUT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
        "scope": _OIDC_SCOPE,
        "require_pkce": False,
    }


STATIC_CLIENTS = [
    _static("client", "client_secret_basic"),
    _static("client1", "client_secret_basic"),
    _static("client_secret_post", "client_secret_post"),
]


@pytest.fixture(scope="session")
def key() -> RSAKey:
    """The suite's key for client assertions."""
    return RSAKey.generate_key(2048)


@pytest.fixture
def site() -> Site:
    """The documents that the suite publishes, and the requests that it receives."""
    return Site()


@pytest.fixture
async def op(auth_sqlite_url: str, clock: MovableClock, site: Site) -> AsyncIterator[AuthService]:
    """The provider under test. Its responses do not depend on the database."""
    async with running_auth_service(
        auth_sqlite_url, clock, site, client=STATIC_CLIENTS, registration=REGISTRATION
    ) as running:
        yield running


@pytest.fixture(params=PLANS, ids=str)
async def suite(request: pytest.FixtureRequest, op: AuthService, key: RSAKey) -> Suite:
    """In the first plan; in every plan with the marker `every_plan`, and in every run of `--matrix full`."""
    return await _suite(op, request.param, key)


@pytest.fixture
async def static_suite(op: AuthService, key: RSAKey) -> Suite:
    return await _suite(op, PLANS[0], key)


@pytest.fixture
async def dynamic_suite(op: AuthService, key: RSAKey) -> Suite:
    return await _suite(op, PLANS[1], key)


async def _suite(op: AuthService, plan: Plan, key: RSAKey) -> Suite:
    suite = Suite(op, plan, key)
    await suite.discover()
    return suite
