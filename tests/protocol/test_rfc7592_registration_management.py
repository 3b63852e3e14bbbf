"""Registration management (RFC 7592) with the registration access token."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select

from auth_service.store.clients import clients
from auth_service.store.schema.tables import consents
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.registration import CALLBACK, GOOD, new_client, relying_party
from tests.support.relying_party import answer_of, error_of

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def op(auth_database_url: str, clock: MovableClock) -> Any:
    async with running_auth_service(auth_database_url, clock, registration={"mode": "open"}) as running:
        yield running


async def call(
    op: AuthService, method: str, information: dict[str, Any], json: object = None, *, token: str | None = None
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or information['registration_access_token']}"}
    return await op.http().request(method, information["registration_client_uri"], headers=headers, json=json)


def consents_of(connection: Connection, client_id: str) -> list[str]:
    return list(connection.execute(select(consents.c.scope).where(consents.c.client_id == client_id)).scalars())


async def test_a_client_reads_its_registration(op: AuthService) -> None:
    information = await new_client(op)
    read = await call(op, "GET", information)
    assert (read.status_code, read.headers["cache-control"]) == (200, "no-store")
    assert read.json() == {name: value for name, value in information.items() if name != "client_secret"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_another_token_is_refused(op: AuthService, method: str) -> None:
    information, another = await new_client(op), await new_client(op)
    body = GOOD | {"client_id": information["client_id"]} if method == "PUT" else None
    uri = information["registration_client_uri"]
    without = await op.http().request(method, uri, json=body)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    for token in (another["registration_access_token"], information["client_secret"], "x"):
        assert error_of(await call(op, method, information, body, token=token)) == (401, "invalid_token")
    unknown = information | {"registration_client_uri": f"{uri}x"}
    declared = information | {"registration_client_uri": uri.replace(information["client_id"], "app-one")}
    for elsewhere in (unknown, declared):
        assert error_of(await call(op, method, elsewhere, body)) == (401, "invalid_token")
    assert (await call(op, "GET", information)).json()["client_name"] == GOOD["client_name"]


async def test_an_update_replaces_all_metadata(op: AuthService) -> None:
    information = await new_client(op, policy_uri="https://new.example.org/policy", scope="openid email")
    other = {"client_id": information["client_id"], "redirect_uris": ["https://new.example.org/other"]}
    updated = (await call(op, "PUT", information, other)).json()
    assert updated["redirect_uris"] == other["redirect_uris"]
    assert updated.keys().isdisjoint({"policy_uri", "client_name", "client_secret"})
    assert "profile" in updated["scope"]
    old, new = relying_party(op, information), relying_party(op, updated | {"client_secret": None})
    assert (await old.authorize(scope="openid")).status_code == 400
    assert 'id="sign-in"' in (await new.authorize(scope="openid")).text
    new.client_secret = information["client_secret"]  # it keeps the one it has
    assert (await new.tokens(scope="openid"))["access_token"]


async def test_a_client_that_now_needs_a_secret_gets_one(op: AuthService) -> None:
    public = await new_client(op, token_endpoint_auth_method="none")
    assert "client_secret" not in public
    change = GOOD | {"client_id": public["client_id"]}
    confidential = (await call(op, "PUT", public, change)).json()
    assert (confidential["client_secret_expires_at"], len(confidential["client_secret"])) == (0, 43)
    assert (await relying_party(op, confidential).tokens(scope="openid"))["access_token"]
    again = (await call(op, "PUT", public, change | {"token_endpoint_auth_method": "none"})).json()
    assert again.keys().isdisjoint({"client_secret", "client_secret_expires_at"})
    assert (await relying_party(op, again).tokens(scope="openid"))["access_token"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "another"}, "invalid_client_metadata"),
        ({"client_id": None}, "invalid_client_metadata"),
        ({"client_secret": "another"}, "invalid_client_metadata"),
        ({"client_secret": 5}, "invalid_client_metadata"),
        ({"registration_access_token": "x"}, "invalid_client_metadata"),
        ({"client_id_issued_at": 5}, "invalid_client_metadata"),
        ({"redirect_uris": ["http://new.example.org/"]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ],
    ids=str,
)
async def test_a_refused_update_changes_nothing(op: AuthService, change: dict[str, Any], error: str) -> None:
    information = await new_client(op)
    update = GOOD | {"client_id": information["client_id"], "client_name": "Another name"}
    assert error_of(await call(op, "PUT", information, update | change)) == (400, error)
    assert (await call(op, "GET", information)).json()["client_name"] == GOOD["client_name"]
    assert (await call(op, "PUT", information, update | {"client_secret": information["client_secret"]})).is_success


async def test_a_deletion_removes_all_data_of_the_client(op: AuthService) -> None:
    information = await new_client(op, grant_types=["authorization_code", "refresh_token"])
    rp = relying_party(op, information)
    tokens = await rp.tokens(scope="openid offline_access")
    waiting = await rp.authorization_code(scope="openid")
    deleted = await call(op, "DELETE", information)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (401, "invalid_client")
    assert error_of(await rp.token(waiting)) == (401, "invalid_client")
    assert error_of(await call(op, "GET", information)) == (401, "invalid_token")
    assert error_of(await call(op, "DELETE", information)) == (401, "invalid_token")
    assert await op.store.read(clients.find_client, information["client_id"]) is None


async def test_a_disabled_client_cannot_manage_its_registration(op: AuthService, clock: MovableClock) -> None:
    information = await new_client(op)
    await op.store.write(clients.disable_client, information["client_id"], by="command", now=clock.now)
    for method in ("GET", "PUT", "DELETE"):
        body = GOOD | {"client_id": information["client_id"]} if method == "PUT" else None
        assert error_of(await call(op, method, information, body)) == (401, "invalid_token")


async def test_a_change_during_the_consent_adds_nothing_to_the_consent(op: AuthService) -> None:
    """The user agrees to what the page showed. The claims requested by name belong to scopes added meanwhile."""
    information = await new_client(op, scope="openid")
    rp = relying_party(op, information)
    claims = json.dumps({"userinfo": {"email": None, "phone_number": None}})
    page = await rp.browser.sign_in(await rp.authorize(scope="openid", claims=claims))
    assert "email address" not in page.text
    wider = GOOD | {"client_id": information["client_id"], "scope": "openid email phone"}
    assert (await call(op, "PUT", information, wider)).status_code == 200
    refused = await rp.browser.allow(page)
    assert (refused.status_code, 'id="error"' in refused.text) == (403, True)
    again = await rp.authorize(scope="openid", claims=claims)
    assert "See your email address" in again.text


SHOWN_OR_DECIDING = [
    {"client_name": "Your bank"},
    {"redirect_uris": [CALLBACK, "https://evil.example.org/callback"]},
    {"token_endpoint_auth_method": "none"},
    {"application_type": "native"},
    {"client_uri": "https://bank.example.org/"},
    {"logo_uri": "https://bank.example.org/logo.png"},
    {"policy_uri": "https://bank.example.org/policy"},
    {"tos_uri": "https://bank.example.org/terms"},
    {"scope": "openid email phone"},
    {"grant_types": ["authorization_code", "refresh_token"]},
    {"default_max_age": 86400},
]


@pytest.mark.parametrize("change", SHOWN_OR_DECIDING, ids=str)
async def test_a_consent_for_a_client_that_changed_meanwhile_is_not_stored(
    op: AuthService, change: dict[str, Any]
) -> None:
    information = await new_client(op, scope="openid email")
    rp = relying_party(op, information)
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    update = GOOD | {"client_id": information["client_id"], "scope": "openid email"}
    assert (await call(op, "PUT", information, update | change)).status_code == 200
    refused = await rp.browser.allow(page)
    assert (refused.status_code, "The app has changed" in refused.text) == (403, True)
    assert await op.store.read(consents_of, information["client_id"]) == []
    assert (await call(op, "PUT", information, update)).status_code == 200
    assert "code" in answer_of(await rp.browser.allow(page))  # what was shown is again what is there


async def test_a_change_that_is_not_part_of_the_decision_keeps_the_consent_page_valid(
    op: AuthService,
) -> None:
    information = await new_client(op, scope="openid email")
    rp = relying_party(op, information)
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    update = GOOD | {"client_id": information["client_id"], "scope": "openid email"}
    update |= {"contacts": ["makers@example.org"], "backchannel_logout_uri": "https://new.example.org/logout"}
    assert (await call(op, "PUT", information, update)).status_code == 200
    assert "code" in answer_of(await rp.browser.allow(page))


@pytest.mark.parametrize(
    "change",
    [
        {"client_name": "Your bank"},
        {"redirect_uris": ["https://bank.example.org/"]},
        {"token_endpoint_auth_method": "none"},
    ],
    ids=str,
)
async def test_a_change_of_identity_requires_a_new_consent(op: AuthService, change: dict[str, Any]) -> None:
    information = await new_client(op)
    rp = relying_party(op, information)
    await rp.authorization_code(scope="openid")
    assert "code" in answer_of(await rp.authorize(scope="openid", prompt="none"))
    update = GOOD | {"client_id": information["client_id"], "policy_uri": "https://new.example.org/policy"}
    assert (await call(op, "PUT", information, update)).status_code == 200
    code = answer_of(await rp.authorize(scope="openid", prompt="none"))["code"]
    changed = (await call(op, "PUT", information, update | change)).json()
    if "token_endpoint_auth_method" not in change:
        assert error_of(await rp.token(code)) == (400, "invalid_grant")
    rp.redirect_uri = changed["redirect_uris"][0]
    refused = await rp.authorize(scope="openid", prompt="none")
    assert (refused.status_code, 'id="error">consent_required<' in refused.text) == (400, True)
