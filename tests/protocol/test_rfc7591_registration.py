"""Dynamic client registration (RFC 7591, OIDC Registration): who may, what a stranger may say, and how many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from auth_service.registration.service import KEEP_UNUSED
from auth_service.store.clients import clients
from auth_service.store.clients import registrations as store
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import NOTES
from tests.support.relying_party import RelyingParty, answer_of, basic, claims_of, error_of

CALLBACK = "https://new.example.org/callback"
GOOD: dict[str, Any] = {"client_name": "A new app", "redirect_uris": [CALLBACK]}
INITIAL_ACCESS_TOKEN = "the initial access token, which is long enough"


@pytest.fixture
async def op(auth_database_url: str, clock: MovableClock) -> Any:
    """Open to anybody."""
    async with running_auth_service(auth_database_url, clock, registration={"mode": "open"}) as running:
        yield running


@pytest.fixture
async def guarded(auth_sqlite_url: str, clock: MovableClock) -> Any:
    """Open to whoever has the initial access token."""
    registration = {"mode": "token", "initial_access_token": INITIAL_ACCESS_TOKEN}
    async with running_auth_service(auth_sqlite_url, clock, registration=registration) as running:
        yield running


async def register(op: AuthService, **changes: Any) -> httpx.Response:
    """A good request, but for `changes`."""
    return await op.http().post("/register", json=GOOD | changes)


async def new_client(op: AuthService, **changes: Any) -> dict[str, Any]:
    response = await register(op, **changes)
    assert response.status_code == 201, response.text
    information: dict[str, Any] = response.json()
    return information


def relying_party(op: AuthService, information: dict[str, Any]) -> RelyingParty:
    rp = op.relying_party("app-one")
    rp.client_id = information["client_id"]
    rp.client_secret = information.get("client_secret")
    rp.method = information["token_endpoint_auth_method"]
    rp.redirect_uri = information["redirect_uris"][0]
    return rp


async def test_the_answer_says_all_that_was_registered(op: AuthService, clock: MovableClock) -> None:
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


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_registered_client_signs_people_in_after_asking_them(op: AuthService, method: str) -> None:
    rp = relying_party(op, await new_client(op, token_endpoint_auth_method=method))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid email"))
    assert 'id="allow"' in page.text
    assert "A new app" in page.text
    assert 'id="unchecked"' in page.text  # nobody vouches for what it says of itself
    tokens = await rp.tokens(scope="openid email")
    assert (await rp.userinfo(tokens["access_token"])).json()["email"]


async def test_only_what_was_given_is_stored(op: AuthService) -> None:
    """The secret and the token are nowhere in the store, but as hashes."""
    information = await new_client(op)
    stored = await op.store.read(clients.find_client, information["client_id"])
    assert stored is not None
    assert information["client_secret"] not in repr(stored)
    assert not stored.first_party
    assert not stored.is_declared


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uris": ["http://new.example.org/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://new.example.org/callback#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["com.example.app:/callback"], "application_type": "web"}, "invalid_redirect_uri"),
        ({"redirect_uris": ["cursor://callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["com.example.app://[callback"]}, "invalid_redirect_uri"),
        (
            {"post_logout_redirect_uris": ["com.example.app://[x"], "application_type": "native"},
            "invalid_client_metadata",
        ),
        ({"redirect_uris": ["https://*.new.example.org/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id.example.com:443/login"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id.example.com:0443/login"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id.example.com:/login"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://%69d.example.com/login"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id%2eexample.com/login"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://id.example.com./login"]}, "invalid_redirect_uri"),
        ({"post_logout_redirect_uris": ["https://New.example.org/"]}, "invalid_client_metadata"),
        ({"initiate_login_uri": "https://new.example.org:443/login"}, "invalid_client_metadata"),
        ({"logo_uri": "https://new.example.org/a/../logo.png"}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://user@new.example.org/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://new.example.org/ callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://new.example.org:new.example.org/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://[new.example.org/"]}, "invalid_redirect_uri"),
        ({"client_name": "\u202eevil"}, "invalid_client_metadata"),
        ({"client_name": "\u200b "}, "invalid_client_metadata"),
        ({"client_name": "\u3164"}, "invalid_client_metadata"),
        ({"client_name": "a\x9bb"}, "invalid_client_metadata"),
        ({"client_name": "a" + "\u0301" * 199}, "invalid_client_metadata"),
        ({"client_name": "x" * 61}, "invalid_client_metadata"),
        ({"client_name": "app-0ne"}, "invalid_client_metadata"),
        ({"client_name": "bot"}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://id.example.com/login"]}, "invalid_redirect_uri"),
        (
            {"contacts": ["x" * 199] * 20, "client_uri": "https://new.example.org/" + "x" * 15_000},
            "invalid_client_metadata",
        ),
        ({"redirect_uris": ["/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://new.example.org/" + "a" * 2000]}, "invalid_client_metadata"),
        ({"redirect_uris": [CALLBACK] * 21}, "invalid_client_metadata"),
        ({"redirect_uris": CALLBACK}, "invalid_client_metadata"),
        ({"redirect_uris": [5]}, "invalid_client_metadata"),
        ({"redirect_uris": []}, "invalid_client_metadata"),
        ({"post_logout_redirect_uris": ["http://new.example.org/"]}, "invalid_client_metadata"),
        ({"client_name": "two\nlines"}, "invalid_client_metadata"),
        ({"client_name": 5}, "invalid_client_metadata"),
        ({"client_uri": "http://new.example.org"}, "invalid_client_metadata"),
        ({"client_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"policy_uri": "https://"}, "invalid_client_metadata"),
        ({"logo_uri": "http://127.0.0.1/logo.png"}, "invalid_client_metadata"),
        ({"jwks_uri": "http://localhost/jwks"}, "invalid_client_metadata"),
        ({"backchannel_logout_uri": "http://127.0.0.1/logout"}, "invalid_client_metadata"),
        ({"initiate_login_uri": "http://new.example.org/login"}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"response_types": []}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["authorization_code", 5]}, "invalid_client_metadata"),
        ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"scope": "openid admin"}, "invalid_client_metadata"),
        ({"scope": 'open"id'}, "invalid_client_metadata"),
        ({"subject_type": "pairwise"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "HS256"}, "invalid_client_metadata"),
        ({"userinfo_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"id_token_encrypted_response_alg": "RSA-OAEP"}, "invalid_client_metadata"),
        ({"dpop_bound_access_tokens": True}, "invalid_client_metadata"),
        ({"default_max_age": -1}, "invalid_client_metadata"),
        ({"default_max_age": "300"}, "invalid_client_metadata"),
        ({"jwks": {"keys": []}, "jwks_uri": "https://new.example.org/jwks"}, "invalid_client_metadata"),
        ({"jwks": "keys"}, "invalid_client_metadata"),
    ],
    ids=str,
)
async def test_one_fault_is_a_refusal_that_repeats_nothing(op: AuthService, change: dict[str, Any], error: str) -> None:
    response = await register(op, **change)
    assert error_of(response) == (400, error)
    description = response.json()["error_description"]
    assert description
    assert all(" " <= character <= "~" and character not in '"\\' for character in description)
    assert "new.example.org" not in description


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": ["com.example.app:/callback"]},
        {"redirect_uris": [CALLBACK, "com.example.app:/callback"], "token_endpoint_auth_method": "none"},
        {"redirect_uris": ["com.example.app:/callback"], "application_type": "native"},
    ],
)
async def test_a_client_with_a_private_use_scheme_is_native(op: AuthService, changes: dict[str, Any]) -> None:
    """RFC 7591 has no application_type. RFC 8252 §8.4: a registered native client may have a secret of its own."""
    assert (await new_client(op, **changes))["application_type"] == "native"


async def test_a_scheme_without_a_dot_is_registered_where_the_configuration_lists_it(auth_sqlite_url: str) -> None:
    registration = {"mode": "open", "private_use_schemes": ["cursor"]}
    async with running_auth_service(auth_sqlite_url, registration=registration) as listed:
        await new_client(listed, redirect_uris=["cursor://anysphere/callback"])
        refused = await register(listed, redirect_uris=["vscode://callback"])
        assert error_of(refused) == (400, "invalid_redirect_uri")
        assert "private_use_schemes" in refused.json()["error_description"]


async def test_the_consent_page_shows_the_scheme_of_a_private_use_uri(op: AuthService) -> None:
    """Its host belongs to nobody: com.evil.app://accounts.google.com/cb leads to the program that owns the scheme."""
    rp = relying_party(op, await new_client(op, redirect_uris=["com.evil.app://accounts.google.com/cb"]))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    assert "<bdi>com.evil.app</bdi>" in page.text
    assert "A program on this device is asking" in page.text
    assert "<bdi>accounts.google.com" not in page.text


async def test_every_page_that_shows_the_name_says_above_its_buttons_that_it_is_unchecked(op: AuthService) -> None:
    left = "https://new.example.org/left"
    rp = relying_party(op, await new_client(op, post_logout_redirect_uris=[left]))
    pages = {"login": await rp.authorize(scope="openid")}
    pages["consent"] = await rp.browser.sign_in(pages["login"])
    await rp.browser.allow(pages["consent"])
    pages["form_post"] = await rp.authorize(scope="openid", response_mode="form_post")
    tokens = await rp.tokens(scope="openid")
    elsewhere = op.relying_party("app-one")
    await elsewhere.sign_in()
    pages["logout"] = await elsewhere.browser.open(
        f"/logout?{urlencode({'id_token_hint': tokens['id_token'], 'post_logout_redirect_uri': left})}"
    )
    for name, page in pages.items():
        assert "A new app" in page.text, name
        assert page.text.index('id="unchecked"') < page.text.index("<button"), name


async def test_a_page_of_a_declared_client_has_no_such_notice(op: AuthService) -> None:
    rp = op.relying_party("third-party")
    login_page = await rp.authorize()
    for page in (login_page, await rp.browser.sign_in(login_page)):
        assert "Third Party" in page.text
        assert 'id="unchecked"' not in page.text


async def test_a_name_is_registered_composed_and_without_needless_spaces(op: AuthService) -> None:
    assert (await new_client(op, client_name="  My\u00a0 app "))["client_name"] == "My app"


async def test_an_update_may_not_take_the_name_of_a_declared_client(op: AuthService) -> None:
    information = await new_client(op)
    update = GOOD | {"client_id": information["client_id"], "client_name": "APP ONE"}
    headers = {"Authorization": f"Bearer {information['registration_access_token']}"}
    response = await op.http().put(information["registration_client_uri"], json=update, headers=headers)
    assert error_of(response) == (400, "invalid_client_metadata")


async def test_a_name_from_before_the_rule_is_not_shown(op: AuthService, clock: MovableClock) -> None:
    information = await new_client(op)
    registration = await op.store.read(store.find_registration, information["client_id"])
    assert registration is not None
    old = replace(registration, client_id="old", metadata=registration.metadata | {"client_name": "\u3164 Bank"})
    assert await op.store.write(
        store.add_registration, old, registered_from=b"", keep_unused=KEEP_UNUSED, max_clients=10
    )
    client = await op.store.read(clients.find_client, "old")
    assert client is not None
    assert client.client_name == "old"


async def test_what_only_the_operator_may_grant_is_ignored(op: AuthService) -> None:
    information = await new_client(
        op, first_party=True, require_pkce=False, client_id="app-one", client_secret="chosen", origin="file"
    )
    assert information["client_id"] != "app-one"
    assert information["client_secret"] != "chosen"
    assert "first_party" not in information
    stored = await op.store.read(clients.find_client, information["client_id"])
    assert stored is not None
    assert (stored.first_party, stored.require_pkce, stored.is_declared) == (False, True, False)


async def test_without_scope_a_client_may_ask_for_every_scope_of_its_kind(op: AuthService) -> None:
    """RFC 7591 §2. The user is asked for each of them, and a token is for one API."""
    rp = relying_party(op, await new_client(op))
    page = await rp.browser.sign_in(await rp.authorize(scope="notes:read", resource=NOTES))
    assert "Read your notes" in page.text
    code = answer_of(await rp.browser.allow(page))["code"]
    tokens = (await rp.token(code, resource=NOTES)).json()
    assert claims_of(tokens["access_token"])["aud"] == NOTES
    assert tokens["scope"] == "notes:read"


async def test_an_empty_string_counts_as_left_out(op: AuthService) -> None:
    empty = ("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri", "scope", "application_type")
    information = await new_client(op, **dict.fromkeys(empty, ""))
    assert information.keys().isdisjoint({"client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri"})
    assert "notes:read" in information["scope"]


async def test_unknown_grants_and_response_types_are_left_out_and_the_answer_says_so(op: AuthService) -> None:
    """RFC 7591 §2, §3.2.1."""
    information = await new_client(
        op,
        grant_types=["authorization_code", "implicit", "refresh_token", "client_credentials", "refresh_token"],
        response_types=["code", "code id_token", "token"],
    )
    assert information["grant_types"] == ["authorization_code", "refresh_token"]
    assert information["response_types"] == ["code"]


async def test_unknown_fields_and_nulls_are_ignored(op: AuthService) -> None:
    information = await new_client(op, **{"client_name#ja": "アプリ", "software_id": "x", "logo_uri": None})
    assert information.keys().isdisjoint({"client_name#ja", "software_id", "logo_uri"})


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"redirect_uris": ["https://a.example/"], "redirect_uris": []}', "application/json"),
        (b'{"client_name": "\\ud800"}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 10_000, "application/json"),
        (b'{"redirect_uris": ["https://a.example/"]}', "text/plain"),
        (b"redirect_uris=https://a.example/", "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_json_object_is_refused(op: AuthService, content: bytes, content_type: str) -> None:
    response = await op.http().post("/register", content=content, headers={"Content-Type": content_type})
    assert error_of(response) == (400, "invalid_client_metadata")


async def test_the_scopes_of_apis_may_be_asked_for_and_are_asked_of_the_user(op: AuthService) -> None:
    rp = relying_party(op, await new_client(op, scope="openid notes:read"))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid notes:read"))
    assert "Read your notes" in page.text
    assert 'id="error">invalid_scope<' in (await rp.authorize(scope="openid notes:write")).text


async def test_pages_of_a_public_client_may_call_from_a_script(op: AuthService) -> None:
    await new_client(op, token_endpoint_auth_method="none")
    await op.look_again()
    response = await op.http().post("/token", headers={"Origin": "https://new.example.org"}, data={})
    assert response.headers["access-control-allow-origin"] == "https://new.example.org"


# Who may


async def test_who_has_no_initial_access_token_registers_nothing(guarded: AuthService) -> None:
    without = await register(guarded)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    for token in ("wrong", INITIAL_ACCESS_TOKEN + "x", INITIAL_ACCESS_TOKEN[:-1]):
        wrong = await guarded.http().post("/register", json=GOOD, headers={"Authorization": f"Bearer {token}"})
        assert error_of(wrong) == (401, "invalid_token")
    right = {"Authorization": f"Bearer {INITIAL_ACCESS_TOKEN}"}
    assert (await guarded.http().post("/register", json=GOOD, headers=right)).status_code == 201


async def test_the_endpoint_is_published_and_says_which_setting_is_missing(
    op: AuthService, guarded: AuthService, auth: AuthService
) -> None:
    """Without registration_endpoint, the MCP SDK would guess an address at the resource server and report its 404."""

    async def published(service: AuthService) -> Any:
        metadata = (await service.http().get("/.well-known/openid-configuration")).json()
        return metadata.get("registration_endpoint")

    assert await published(op) == await published(guarded) == f"{op.settings.issuer}/register"
    assert await published(auth) == f"{op.settings.issuer}/register"  # by token, and none is configured
    without = await auth.http().post("/register", json=GOOD)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    assert "[registration] initial_access_token" in without.json()["error_description"]
    refused = await auth.http().post("/register", json=GOOD, headers={"Authorization": "Bearer anything"})
    assert error_of(refused) == (401, "invalid_token")


async def test_when_switched_off_the_refusal_names_the_setting(auth_sqlite_url: str) -> None:
    async with running_auth_service(auth_sqlite_url, registration={"mode": "off"}) as off:
        response = await register(off)
        assert error_of(response) == (403, "access_denied")
        assert "[registration] mode" in response.json()["error_description"]
        metadata = (await off.http().get("/.well-known/openid-configuration")).json()
        assert "registration_endpoint" not in metadata


# How many


@asynccontextmanager
async def open_to(most: int, url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    registration = {"mode": "open", "max_clients": most}
    async with running_auth_service(url, clock, registration=registration) as running:
        yield running


async def test_there_are_never_more_than_so_many_used_clients(auth_sqlite_url: str, clock: MovableClock) -> None:
    async with open_to(2, auth_sqlite_url, clock) as op:
        for _ in range(2):
            await relying_party(op, await new_client(op)).tokens(scope="openid")
        response = await register(op)
        assert error_of(response) == (503, "temporarily_unavailable")
        assert int(response.headers["retry-after"]) > 0


async def test_one_registers_and_signs_in_while_many_sites_fill_all_places(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with open_to(30, auth_database_url, clock) as op:
        attackers = [op.http(f"203.0.113.{site}") for site in range(5)]

        async def attack() -> None:
            for _ in range(10):
                for http in attackers:
                    assert (await http.post("/register", json=GOOD)).status_code == 201
                clock.advance(seconds=1)

        await attack()
        information = (await op.http("198.51.100.7").post("/register", json=GOOD)).json()
        await attack()
        rp = relying_party(op, information)
        tokens = await rp.tokens(scope="openid")
        await attack()
        await op.look_again()
        assert (await rp.userinfo(tokens["access_token"])).status_code == 200
        assert 'id="sign-in"' in (await relying_party(op, information).authorize(scope="openid")).text
        rows = [row for row in await op.store.read(clients.list_clients) if row.origin == clients.REGISTRATION]
        assert len(rows) == 30


async def test_the_oldest_unused_client_of_the_largest_site_makes_room(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with open_to(4, auth_database_url, clock) as op:
        registered: dict[str, list[str]] = {}

        async def add(site: str) -> None:
            clock.advance(seconds=1)
            response = await op.http(site).post("/register", json=GOOD)
            registered.setdefault(site, []).append(response.json()["client_id"])

        async def left(site: str) -> list[bool]:
            found = [await op.store.read(clients.find_client, client_id) for client_id in registered[site]]
            return [client is not None for client in found]

        large, small, own = "203.0.113.1", "2001:db8:1::1", "2001:db8:2::1"
        for site in (small, large, large, large):
            await add(site)
        await add(own)
        assert await left(large) == [False, True, True]
        await add("2001:db8:2:ffff::9")  # the same /48
        assert await left(large) == [False, False, True]
        await add(own)  # which has the most now
        assert await left(own) == [False, True]
        assert await left(small) == [True]


async def test_a_client_that_is_never_used_goes_after_a_day(op: AuthService, clock: MovableClock) -> None:
    unused, used = await new_client(op), await new_client(op)
    rp = relying_party(op, used)
    await rp.tokens(scope="openid")
    clock.advance(seconds=KEEP_UNUSED)
    await new_client(op)
    await op.look_again()
    assert (await relying_party(op, unused).authorize(scope="openid")).status_code == 400
    assert 'id="sign-in"' in (await rp.authorize(scope="openid")).text


async def test_one_address_cannot_take_all_the_room(op: AuthService, clock: MovableClock) -> None:
    http, elsewhere = op.http(), op.http("198.51.100.7")
    for _ in range(200):
        assert (await http.post("/register", json=GOOD)).status_code == 201
    refused = await http.post("/register", json=GOOD)
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(refused.headers["retry-after"]) <= 20
    assert (await elsewhere.post("/register", json=GOOD)).status_code == 201
    clock.advance(seconds=int(refused.headers["retry-after"]))
    assert (await http.post("/register", json=GOOD)).status_code == 201


async def test_a_refused_request_counts_for_nothing(op: AuthService) -> None:
    http = op.http()
    for _ in range(201):
        assert (await http.post("/register", json=GOOD | {"redirect_uris": []})).status_code == 400
    assert (await http.post("/register", json=GOOD)).status_code == 201


async def test_a_client_id_is_one_that_a_command_line_takes(op: AuthService) -> None:
    information = await new_client(op)
    assert information["client_id"].isalnum()


async def test_the_secret_is_the_clients_own(op: AuthService) -> None:
    one, two = await new_client(op), await new_client(op)
    headers = {"Authorization": basic(one["client_id"], two["client_secret"])}
    response = await op.http().post("/token", data={"grant_type": "authorization_code", "code": "x"}, headers=headers)
    assert error_of(response) == (401, "invalid_client")


async def test_an_expired_form_leads_back_to_where_the_client_begins(op: AuthService, clock: MovableClock) -> None:
    """OIDC Core §4: the client is told by whom the user is to be signed in."""
    information = await new_client(op, initiate_login_uri="https://new.example.org/login?from=us")
    rp = relying_party(op, information)
    consent_page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    clock.advance(seconds=3601)
    page = await rp.browser.allow(consent_page)
    assert page.status_code == 400
    again = page.text.index('href="https://new.example.org/login?from=us&amp;iss=https%3A%2F%2Fid.example.com"')
    assert page.text.index('id="unchecked"') < again  # with the host to which the button leads
    assert "<bdi>new.example.org</bdi>" in page.text


async def test_an_expired_sign_out_form_does_not_lead_to_the_sign_in_of_the_client(
    op: AuthService, clock: MovableClock
) -> None:
    information = await new_client(op, initiate_login_uri="https://new.example.org/login")
    browser = op.browser()
    await browser.sign_in()
    page = await browser.open(f"/logout?client_id={information['client_id']}")
    clock.advance(seconds=3601)
    expired = await browser.submit(page)
    assert f'href="/logout?client_id={information["client_id"]}"' in expired.text
    assert "new.example.org" not in expired.text


async def test_one_ipv6_site_cannot_take_all_the_room(op: AuthService) -> None:
    """A /48 holds 65,536 networks of one customer each."""
    for network in range(200):
        assert (await op.http(f"2001:db8:1:{network:x}::1").post("/register", json=GOOD)).status_code == 201
    assert (await op.http("2001:db8:1:ffff::1").post("/register", json=GOOD)).status_code == 429
    assert (await op.http("2001:db8:2::1").post("/register", json=GOOD)).status_code == 201


async def test_a_disabled_client_takes_no_place(auth_sqlite_url: str, clock: MovableClock) -> None:
    async with open_to(1, auth_sqlite_url, clock) as op:
        information = await new_client(op)
        await relying_party(op, information).tokens(scope="openid")
        assert (await register(op)).status_code == 503
        await op.store.write(clients.disable_client, information["client_id"], by="command", now=clock.now)
        assert (await register(op)).status_code == 201


async def test_an_operator_deletes_only_who_registered_itself(op: AuthService) -> None:
    information = await new_client(op)
    rp = relying_party(op, information)
    tokens = await rp.tokens(scope="openid")
    assert not await op.store.write(store.delete_client, "app-one", now=op.clock())
    assert (await op.relying_party("app-one").tokens())["access_token"]
    assert await op.store.write(store.delete_client, information["client_id"], now=op.clock())
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
