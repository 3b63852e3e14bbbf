"""Dynamic client registration (RFC 7591, OIDC Registration §3): who may register, and what the server stores."""

from typing import Any

import pytest

from auth_service.store.clients import clients
from auth_service.store.clients import registrations as store
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.registration import GOOD, new_client, op, register, relying_party
from tests.support.relying_party import basic, error_of

__all__ = ["op"]

INITIAL_ACCESS_TOKEN = "the initial access token, which is long enough"


async def test_the_response_has_all_registered_metadata(op: AuthService, clock: MovableClock) -> None:
    response = await register(op, contacts=["makers@example.org"])
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    information = response.json()
    for name in ("client_id", "client_secret", "registration_access_token"):
        assert len(information.pop(name)) >= 32
    assert information.pop("registration_client_uri").startswith(f"{op.settings.issuer}/register/")
    assert information == GOOD | {
        "contacts": ["makers@example.org"],
        "client_id_issued_at": clock.now,
        "client_secret_expires_at": 0,
        "application_type": "web",
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "post_logout_redirect_uris": [],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "address calendar:read email notes:read notes:write offline_access openid phone profile",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "backchannel_logout_session_required": False,
        "require_auth_time": False,
    }


async def test_the_secret_is_stored_as_a_hash_only(op: AuthService) -> None:
    """The store has only hashes of the client secret and of the registration access token."""
    information = await new_client(op)
    stored = await op.store.read(clients.find_client, information["client_id"])
    assert stored is not None
    assert information["client_secret"] not in repr(stored)
    assert not stored.first_party
    assert not stored.is_declared


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uris": ["https://new.example.org/callback#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id.example.com/login"]}, "invalid_redirect_uri"),
        ({"client_name": "\u202eevil"}, "invalid_client_metadata"),
        ({"client_name": "app-0ne"}, "invalid_client_metadata"),
        ({"client_name": "bot"}, "invalid_client_metadata"),
        (
            {"contacts": ["x" * 199] * 20, "client_uri": "https://new.example.org/" + "x" * 15_000},
            "invalid_client_metadata",
        ),
        ({"scope": "openid admin"}, "invalid_client_metadata"),
    ],
    ids=str,
)
async def test_a_request_with_one_fault_is_refused_without_quoting_it(
    op: AuthService, change: dict[str, Any], error: str
) -> None:
    """The rules for single fields are tested in tests/unit/test_registration_metadata.py."""
    response = await register(op, **change)
    assert error_of(response) == (400, error)
    description = response.json()["error_description"]
    assert description
    assert all(" " <= character <= "~" and character not in '"\\' for character in description)
    assert "new.example.org" not in description


async def test_a_scheme_without_a_dot_needs_an_entry_in_the_configuration(auth_sqlite_url: str) -> None:
    registration = {"mode": "open", "private_use_schemes": ["cursor"]}
    async with running_auth_service(auth_sqlite_url, registration=registration) as listed:
        await new_client(listed, redirect_uris=["cursor://anysphere/callback"])
        refused = await register(listed, redirect_uris=["vscode://callback"])
        assert error_of(refused) == (400, "invalid_redirect_uri")
        assert "private_use_schemes" in refused.json()["error_description"]


async def test_an_update_cannot_take_the_name_of_a_declared_client(op: AuthService) -> None:
    information = await new_client(op)
    update = GOOD | {"client_id": information["client_id"], "client_name": "APP ONE"}
    headers = {"Authorization": f"Bearer {information['registration_access_token']}"}
    response = await op.http().put(information["registration_client_uri"], json=update, headers=headers)
    assert error_of(response) == (400, "invalid_client_metadata")


async def test_fields_that_only_an_operator_may_set_are_ignored(op: AuthService) -> None:
    information = await new_client(
        op, first_party=True, require_pkce=False, client_id="app-one", client_secret="chosen", origin="file"
    )
    assert information["client_id"] != "app-one"
    assert information["client_secret"] != "chosen"
    assert "first_party" not in information
    stored = await op.store.read(clients.find_client, information["client_id"])
    assert stored is not None
    assert (stored.first_party, stored.require_pkce, stored.is_declared) == (False, True, False)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{", "application/json"),
        (b'{"redirect_uris": ["https://a.example/"]}', "text/plain"),
        (b"redirect_uris=https://a.example/", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_body_that_is_not_a_json_object_is_refused(op: AuthService, content: bytes, content_type: str) -> None:
    response = await op.http().post("/register", content=content, headers={"Content-Type": content_type})
    assert error_of(response) == (400, "invalid_client_metadata")


async def test_scripts_of_a_public_client_may_call_the_token_endpoint(op: AuthService) -> None:
    await new_client(op, token_endpoint_auth_method="none")
    await op.look_again()
    response = await op.http().post("/token", headers={"Origin": "https://new.example.org"}, data={})
    assert response.headers["access-control-allow-origin"] == "https://new.example.org"


async def test_a_client_id_is_alphanumeric(op: AuthService) -> None:
    information = await new_client(op)
    assert information["client_id"].isalnum()


async def test_a_client_cannot_use_the_secret_of_another(op: AuthService) -> None:
    one, two = await new_client(op), await new_client(op)
    headers = {"Authorization": basic(one["client_id"], two["client_secret"])}
    response = await op.http().post("/token", data={"grant_type": "authorization_code", "code": "x"}, headers=headers)
    assert error_of(response) == (401, "invalid_client")


async def test_an_operator_deletes_only_self_registered_clients(op: AuthService) -> None:
    information = await new_client(op)
    rp = relying_party(op, information)
    tokens = await rp.tokens(scope="openid")
    assert not await op.store.write(store.delete_client, "app-one", now=op.clock())
    assert (await op.relying_party("app-one").tokens())["access_token"]
    assert await op.store.write(store.delete_client, information["client_id"], now=op.clock())
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401


@pytest.fixture
async def guarded(auth_sqlite_url: str, clock: MovableClock) -> Any:
    """An auth service where registration needs the initial access token."""
    registration = {"mode": "token", "initial_access_token": INITIAL_ACCESS_TOKEN}
    async with running_auth_service(auth_sqlite_url, clock, registration=registration) as running:
        yield running


async def test_registration_needs_the_initial_access_token(guarded: AuthService) -> None:
    without = await register(guarded)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    for token in ("wrong", INITIAL_ACCESS_TOKEN + "x", INITIAL_ACCESS_TOKEN[:-1]):
        wrong = await guarded.http().post("/register", json=GOOD, headers={"Authorization": f"Bearer {token}"})
        assert error_of(wrong) == (401, "invalid_token")
    right = {"Authorization": f"Bearer {INITIAL_ACCESS_TOKEN}"}
    assert (await guarded.http().post("/register", json=GOOD, headers=right)).status_code == 201


async def test_the_published_endpoint_names_the_missing_setting(
    op: AuthService, guarded: AuthService, auth: AuthService
) -> None:
    """Without registration_endpoint, the MCP SDK guesses a URL at the resource server and reports its 404."""

    async def published(service: AuthService) -> Any:
        metadata = (await service.http().get("/.well-known/openid-configuration")).json()
        return metadata.get("registration_endpoint")

    assert await published(op) == await published(guarded) == f"{op.settings.issuer}/register"
    assert await published(auth) == f"{op.settings.issuer}/register"  # mode "token", without a configured token
    without = await auth.http().post("/register", json=GOOD)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    assert "[registration] initial_access_token" in without.json()["error_description"]
    refused = await auth.http().post("/register", json=GOOD, headers={"Authorization": "Bearer anything"})
    assert error_of(refused) == (401, "invalid_token")


async def test_the_refusal_names_the_setting_that_turns_registration_off(auth_sqlite_url: str) -> None:
    async with running_auth_service(auth_sqlite_url, registration={"mode": "off"}) as off:
        response = await register(off)
        assert error_of(response) == (403, "access_denied")
        assert "[registration] mode" in response.json()["error_description"]
        metadata = (await off.http().get("/.well-known/openid-configuration")).json()
        assert "registration_endpoint" not in metadata
