"""The events that the audit trail records, and their details."""

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection

from auth_service.configuration.configuration_file import apply
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from auth_service.store.audit import audit_trail
from auth_service.store.clients import clients
from auth_service.store.users import consents, users
from tallystick.request_id import request_id
from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import ADDRESS, AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import (
    EMAIL,
    MASTER_KEY,
    NOTES,
    OTHER_EMAIL,
    PASSWORD,
    WRONG_PASSWORD,
    clients_with,
    declared_settings,
)
from tests.support.patience import patient_store
from tests.support.registration import GOOD
from tests.support.relying_party import RelyingParty, error_of

pytestmark = pytest.mark.postgresql

__all__ = ["trail"]

REQUEST_ID = "a-request-of-this-test"


async def sub_of(auth: AuthService, email: str = EMAIL) -> str:
    sub = await auth.store.read(users.find_sub, email)
    assert sub
    return sub


async def test_a_first_start_is_recorded(auth: AuthService) -> None:
    entries = await Trail(auth.store).new()
    assert Counter(entry.event for entry in entries) == {
        "key_published": 2,
        "api_added": 2,
        "client_added": len(auth.settings.client),
        "user_added": 2,
    }
    assert {(entry.event, entry.detail["by"]) for entry in entries} == {
        ("key_published", "service"),
        ("api_added", "file"),
        ("client_added", "file"),
        ("user_added", "file"),
    }


async def test_a_login_and_a_logout_are_recorded(auth: AuthService, rp: RelyingParty, trail: Trail) -> None:
    tokens = await rp.tokens()
    auth.clock.advance(seconds=5)
    await rp.browser.open(f"/logout?id_token_hint={tokens['id_token']}")
    login, logout = await trail.new()
    sub = await sub_of(auth)
    assert (login.event, login.sub, login.email, login.address) == ("login", sub, EMAIL, ADDRESS)
    assert (logout.event, logout.sub, logout.sid) == ("logout", sub, login.sid)
    assert logout.at == login.at + 5


async def test_a_second_login_has_the_sid_of_the_first(rp: RelyingParty, trail: Trail) -> None:
    await rp.sign_in()
    await rp.browser.sign_in(await rp.authorize(prompt="login"))
    first, second = await trail.new()
    assert (first.event, second.event) == ("login", "login")
    assert first.sid == second.sid


async def test_the_login_of_another_user_records_a_logout(rp: RelyingParty, trail: Trail) -> None:
    await rp.sign_in()
    await rp.browser.sign_in(await rp.authorize(prompt="login"), username=OTHER_EMAIL)
    assert [(entry.event, entry.email) for entry in await trail.new()] == [
        ("login", EMAIL),
        ("logout", EMAIL),
        ("login", OTHER_EMAIL),
    ]


async def test_issued_and_refreshed_tokens_are_not_recorded(auth: AuthService, rp: RelyingParty, trail: Trail) -> None:
    tokens = await rp.tokens()
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200
    assert (await auth.relying_party("bot").client_credentials()).status_code == 200
    assert await trail.events() == ["login"]


async def test_the_request_id_is_the_one_in_the_log(auth: AuthService, trail: Trail) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    browser.http.headers["X-Request-ID"] = REQUEST_ID
    await browser.sign_in(page)
    (login,) = await trail.new()
    assert (login.request_id, login.detail) == (REQUEST_ID, {})


async def test_a_failed_login_records_nothing_that_was_typed(auth: AuthService, trail: Trail) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    for username in (EMAIL, PASSWORD, "unknown@example.com"):
        await browser.sign_in(page, username=username, password=WRONG_PASSWORD)
    entries = await trail.new()
    assert [(entry.event, entry.sub, entry.address) for entry in entries] == [
        ("login_failed", await sub_of(auth), ADDRESS),
        ("login_failed", None, ADDRESS),
        ("login_failed", None, ADDRESS),
    ]
    assert not any(secret in str(entries) for secret in (PASSWORD, WRONG_PASSWORD, "unknown@"))


async def test_the_attempt_of_a_disabled_user_is_recorded(auth: AuthService, trail: Trail) -> None:
    sub = await sub_of(auth)
    await auth.store.write(users.disable_user, sub, by="command", now=auth.clock())
    await auth.browser().sign_in()
    assert [(entry.event, entry.sub) for entry in await trail.new()] == [("user_disabled", sub), ("login_failed", sub)]


async def test_consents_are_recorded(auth: AuthService, trail: Trail) -> None:
    third_party = auth.relying_party("third-party")
    await third_party.authorization_code(scope="openid notes:read")
    sub = await sub_of(auth)
    await auth.store.write(consents.withdraw_consent, sub, "third-party", now=auth.clock())
    _, granted, withdrawn = await trail.new()
    assert (granted.event, granted.sub, granted.client_id) == ("consent_granted", sub, "third-party")
    assert granted.detail == {"scope": ["notes:read", "openid"]}
    assert granted.request_id
    assert (withdrawn.event, withdrawn.sub, withdrawn.client_id) == ("consent_withdrawn", sub, "third-party")


async def test_replays_and_revocations_are_recorded_once(auth: AuthService, rp: RelyingParty, trail: Trail) -> None:
    sub = await sub_of(auth)
    code = await rp.authorization_code()
    assert (await rp.token(code)).status_code == 200
    for _ in range(3):
        assert error_of(await rp.token(code)) == (400, "invalid_grant")
    first = (await rp.tokens())["refresh_token"]
    second = (await rp.refresh(first)).json()["refresh_token"]
    await rp.refresh(second)
    for _ in range(3):
        assert error_of(await rp.refresh(first)) == (400, "invalid_grant")
    tokens = await rp.tokens()
    for token in (tokens["refresh_token"], tokens["access_token"], "unknown"):
        assert (await rp.revoke(token)).status_code == 200
    login, *others = await trail.new()
    assert [(entry.event, entry.sub, entry.client_id, entry.sid) for entry in others] == [
        (event, sub, "app-one", login.sid) for event in ("code_replayed", "refresh_token_replayed", "tokens_revoked")
    ]


async def test_a_revocation_by_the_client_is_recorded(auth: AuthService, trail: Trail) -> None:
    bot = auth.relying_party("bot")
    await bot.revoke((await bot.client_credentials()).json()["access_token"])
    (revoked,) = await trail.new()
    assert (revoked.event, revoked.sub, revoked.client_id) == ("tokens_revoked", None, "bot")


async def test_changes_of_users_are_recorded(auth: AuthService, trail: Trail) -> None:
    sub, now = await sub_of(auth), auth.clock()
    write = auth.store.write
    added = await write(
        users.add_user, email="new@example.com", password_hash=None, claims={}, roles=[], origin="command", now=now
    )
    await write(users.set_password_hash, sub, "$argon2id$…", now=now)
    await write(users.disable_user, sub, by="command", now=now)
    await write(users.enable_user, sub, by="command", now=now)
    await write(users.sign_out_user, sub, now=now)
    assert [(entry.event, entry.sub) for entry in await trail.new()] == [
        ("user_added", added),
        ("password_set", sub),
        ("user_disabled", sub),
        ("user_enabled", sub),
        ("user_signed_out", sub),
    ]


async def test_changes_by_the_configuration_file_are_recorded(auth: AuthService, trail: Trail) -> None:
    good = declared_settings(str(auth.settings.database_url)).model_dump(exclude_unset=True)
    other = clients_with({"app-one": {"client_name": "App Won"}})[:-1]
    changed = {
        "api": [good["api"][0] | {"name": "Notices"}],
        "client": [client for client in other if client["client_id"] != "bot-of-two"],
        "user": [good["user"][0] | {"roles": []}],
    }
    for client in changed["client"]:
        client["scope"] = client["scope"].replace("calendar:read", "").strip()
    await apply(auth.store, declared_settings(auth.settings.database_url, **changed), auth.clock)
    entries = await trail.new()
    assert {entry.detail["by"] for entry in entries} == {"file"}
    recorded = [(entry.event, entry.detail.get("audience") or entry.client_id or entry.email) for entry in entries]
    assert ("api_changed", NOTES) in recorded
    assert ("client_disabled", "bot-of-two") in recorded
    assert ("user_disabled", OTHER_EMAIL) in recorded
    differs = {(entry.event, entry.client_id): entry.detail.get("differs") for entry in entries}
    assert differs["user_changed", None] == ["roles"]
    assert differs["client_changed", "app-one"] == ["client_name", "scope"]
    await apply(auth.store, auth.settings, auth.clock)
    assert {"api_enabled", "client_enabled", "user_enabled"} <= set(await trail.events())


async def test_changes_of_keys_are_recorded(auth: AuthService, trail: Trail) -> None:
    master_key = MasterKey.load(MASTER_KEY, may_create=False)
    key_ring = KeyRing.from_lifetimes(auth.store, master_key, auth.clock, auth.settings.lifetimes)
    kid = await key_ring.rotate()
    assert kid
    await key_ring.rotate()
    auth.clock.advance(seconds=60)
    await key_ring.withdraw(kid)
    published, withdrawn, replaced = await trail.new()
    assert published.detail == {"by": "service", "kid": kid, "alg": "ES256", "signs_from": published.at + 60}
    assert (withdrawn.event, withdrawn.detail["kid"]) == ("key_withdrawn", kid)
    assert (replaced.event, replaced.detail["signs_from"]) == ("key_published", auth.clock())


async def test_registrations_are_recorded(auth_database_url: str, clock: MovableClock) -> None:
    token = "an initial access token that is hard to guess"
    registration = {"mode": "token", "initial_access_token": token}
    async with running_auth_service(auth_database_url, clock, registration=registration) as op:
        trail = Trail(op.store)
        await trail.new()
        refused = await op.http().post("/register", json=GOOD, headers={"Authorization": "Bearer another"})
        assert refused.status_code == 401
        assert (await op.http().post("/register", json=GOOD)).status_code == 401
        by_token = {"Authorization": f"Bearer {token}"}
        information: dict[str, Any] = (await op.http().post("/register", json=GOOD, headers=by_token)).json()
        own = {"Authorization": f"Bearer {information['registration_access_token']}"}
        uri, client_id = information["registration_client_uri"], information["client_id"]
        for name in ("A", "A", "B"):
            changed = GOOD | {"client_id": client_id, "client_name": name}
            assert (await op.http().put(uri, json=changed, headers=own)).status_code == 200
        await op.http().delete(uri, headers=own)
        entries = await trail.new()
    assert [(entry.event, entry.client_id) for entry in entries] == [
        ("registration_refused", None),
        ("client_added", client_id),
        ("client_changed", client_id),
        ("client_changed", client_id),
        ("client_deleted", client_id),
    ]
    assert entries[0].address == ADDRESS
    assert entries[2].detail == {"by": "registration", "differs": ["client_name"]}
    assert all(entry.request_id for entry in entries)


async def test_a_unit_that_is_rolled_back_leaves_no_row(auth: AuthService, trail: Trail) -> None:
    def disable_and_fail(connection: Connection) -> None:
        clients.disable_client(connection, "app-one", by="command", now=auth.clock())
        raise LookupError

    with pytest.raises(LookupError):
        await auth.store.write(disable_and_fail)
    assert await trail.events() == []
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    assert await trail.events() == ["client_disabled"]


async def test_no_secret_is_in_the_trail(auth_database_url: str, clock: MovableClock) -> None:
    """After a whole flow, no row has a secret that was sent in either direction."""
    initial = "the initial access token of this very test"
    registration = {"mode": "token", "initial_access_token": initial}
    async with running_auth_service(auth_database_url, clock, registration=registration) as auth:
        rp = auth.relying_party("third-party")
        page = await rp.authorize(scope="openid notes:read offline_access")
        await rp.browser.sign_in(page, password=WRONG_PASSWORD)
        await rp.browser.sign_in(page, username=WRONG_PASSWORD, password=PASSWORD)
        code = await rp.authorization_code(scope="openid notes:read offline_access")
        tokens = (await rp.token(code)).json()
        refreshed = (await rp.refresh(tokens["refresh_token"])).json()
        await rp.refresh(refreshed["refresh_token"])
        await rp.refresh(tokens["refresh_token"])
        await rp.token(code)
        again = await rp.tokens(scope="openid notes:read")
        await rp.revoke(again["refresh_token"])
        for token in (initial, "some other bearer token"):
            by_token = {"Authorization": f"Bearer {token}"}
            answer = (await auth.http().post("/register", json=GOOD, headers=by_token)).json()
            if token == initial:
                information = answer
        await rp.browser.open(f"/logout?id_token_hint={again['id_token']}")
        recorded = json.dumps([vars(entry) for entry in await Trail(auth.store).new()])
        cookies = [cookie.value for cookie in rp.browser.http.cookies.jar if cookie.value]
    secrets = [
        PASSWORD,
        WRONG_PASSWORD,
        initial,
        "some other bearer token",
        code,
        rp.client_secret or "",
        MASTER_KEY,
        *cookies,
    ]
    secrets += [value for given in (tokens, refreshed, again) for name, value in given.items() if name.endswith("oken")]
    secrets += [information["client_secret"], information["registration_access_token"]]
    assert len(secrets) > 15
    assert [secret for secret in secrets if secret in recorded] == []
    assert "tokens_revoked" in recorded


async def test_the_cause_of_an_event_outside_a_request_is_recorded(auth_sqlite_url: str) -> None:
    store = patient_store(auth_sqlite_url)
    try:
        for actor, asked in (("service", ""), ("command", ""), ("command", REQUEST_ID)):
            audit_trail.actor.set(actor)
            request_id.set(asked)
            await store.write(audit_trail.record, "login", now=1)
        oldest = (await Trail(store).new())[:3]
        assert [(entry.detail.get("by"), entry.request_id) for entry in oldest] == [
            ("service", None),
            ("command", None),
            (None, REQUEST_ID),
        ]
    finally:
        await store.close()
