"""Back-Channel Logout OP: the client gets a logout token, and the browser is redirected (docs/conformance.md)."""

from collections.abc import AsyncIterator

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from tests.conformance.checks import is_https
from tests.conformance.conftest import REGISTRATION, STATIC_CLIENTS
from tests.conformance.suite import BASE, POST_LOGOUT, Suite
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.logout_receivers import LogoutReceivers

BACKCHANNEL = f"{BASE}/backchannel_logout"
HOST = "suite.example.net"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
STATE = "s" * 128


@pytest.fixture
def receivers() -> LogoutReceivers:
    return LogoutReceivers()


@pytest.fixture
async def op(auth_sqlite_url: str, clock: MovableClock, receivers: LogoutReceivers) -> AsyncIterator[AuthService]:
    """As for the other plans, with a backchannel_logout_uri for the static clients."""
    static = [client | {"backchannel_logout_uri": BACKCHANNEL} for client in STATIC_CLIENTS]
    async with running_auth_service(
        auth_sqlite_url, clock, receivers, client=static, registration=REGISTRATION
    ) as running:
        yield running


@pytest.fixture
async def suite(request: pytest.FixtureRequest, static_suite: Suite, dynamic_suite: Suite) -> Suite:
    """The suite with static or with dynamic clients."""
    return dynamic_suite if getattr(request, "param", False) else static_suite


plans = pytest.mark.parametrize("suite", [False, True], ids=["static", "dynamic"], indirect=True)


async def test_discovery_endpoint_verification(static_suite: Suite) -> None:
    metadata = static_suite.metadata
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True
    assert is_https(metadata["end_session_endpoint"])


@plans
async def test_backchannel_rp_initiated_logout(suite: Suite, receivers: LogoutReceivers) -> None:
    client = await suite.client(
        post_logout_redirect_uris=[POST_LOGOUT],
        backchannel_logout_uri=BACKCHANNEL,
        backchannel_logout_session_required=True,
    )
    login = await suite.log_in(client)
    assert login.claims["sid"]

    request = {"id_token_hint": login.id_token, "post_logout_redirect_uri": POST_LOGOUT, "state": STATE}
    page = await suite.person.http.get(suite.metadata["end_session_endpoint"], params=request)
    assert page.headers["location"] == f"{POST_LOGOUT}?state={STATE}"

    await receivers.told(HOST)
    (delivery,) = receivers.requests[HOST]
    assert (delivery.method, str(delivery.url)) == ("POST", BACKCHANNEL)
    (logout_token,) = receivers.tokens(HOST)  # the only parameter
    header = extract_compact(logout_token.encode()).headers()
    assert header["alg"] == extract_compact(login.id_token.encode()).headers()["alg"]
    assert header["typ"] == "logout+jwt"
    claims = jwt.decode(logout_token, KeySet.import_key_set({"keys": suite.jwks["keys"]}), [header["alg"]]).claims
    assert claims.keys() == {"iss", "aud", "iat", "exp", "jti", "sub", "sid", "events"}  # and no nonce
    assert (claims["iss"], claims["aud"]) == (suite.issuer, client.client_id)
    assert (claims["sub"], claims["sid"]) == (login.claims["sub"], login.claims["sid"])
    assert claims["events"] == {EVENT: {}}
    assert abs(claims["iat"] - suite.op.clock()) <= 300
    assert 0 < claims["exp"] - claims["iat"] <= 120
    assert claims["jti"]
    answer = suite.answer(await suite.arrive(suite.parameters(client, prompt="none")), client)
    assert answer["error"] == "login_required"
