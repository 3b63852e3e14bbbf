"""The configuration file and the store: `plan` shows the difference, and `apply` removes it."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from auth_service.authentication.users.passwords import Passwords
from auth_service.configuration.configuration_file import apply, plan, refusal_to_disable
from auth_service.settings.settings import Settings
from auth_service.store.clients import apis, clients
from auth_service.store.schema import tables
from auth_service.store.tokens import token_families
from auth_service.store.tokens.authorization import Authorization
from auth_service.store.tokens.token_families import FamilyLifetime
from auth_service.store.users import users
from tallystick_service.settings import Misconfigured
from tallystick_service.store import Store
from tests.support.clock import MovableClock
from tests.support.patience import patient_store

SECRET = "a secret of at least thirty-two characters"
API: dict[str, Any] = {"audience": "https://api.example.com", "name": "Notes", "scopes": {"notes:read": "Read them"}}
APP: dict[str, Any] = {
    "client_id": "app",
    "client_secret": SECRET,
    "redirect_uris": ["https://app.example.com/callback"],
    "scope": "openid notes:read",
}
BOT: dict[str, Any] = {"client_id": "bot", "client_secret": SECRET, "grant_types": ["client_credentials"]}
ADA: dict[str, Any] = {"email": "ada@example.com", "password": "correct horse", "name": "Ada", "roles": ["editor"]}
GRACE: dict[str, Any] = {"email": "grace@example.com", "password": "battery staple"}


def settings(**changes: object) -> Settings:
    good: dict[str, object] = {"api": [API], "client": [APP, BOT], "user": [ADA, GRACE]}
    fixed = {"issuer": "https://id.example.com", "database_url": "sqlite:///not-used.db"}
    return Settings.model_validate({**fixed, **good, **changes})


@pytest.fixture
async def store(auth_tables_url: str) -> AsyncIterator[Store]:
    store = patient_store(auth_tables_url)
    yield store
    await store.close()


async def applied(store: Store, declared: Settings, clock: MovableClock, *, allow_disable: bool = False) -> list[str]:
    """The applied changes, which are those of the plan. Afterwards the plan is empty."""
    planned = await plan(store, declared)
    changed = await apply(store, declared, clock, allow_disable=allow_disable)
    assert planned == changed
    assert await plan(store, declared) == await apply(store, declared, clock) == []
    return list(map(str, changed))


async def credentials(store: Store, email: str = "ada@example.com") -> users.Credentials | None:
    return await store.read(users.find_credentials, users.email_key(email))


async def test_declared_rows_are_created(store: Store, clock: MovableClock) -> None:
    assert await applied(store, settings(), clock) == [
        "create api https://api.example.com",
        "create client app",
        "create client bot",
        "create user ada@example.com",
        "create user grace@example.com",
    ]
    app = await store.read(clients.find_client, "app")
    assert app is not None
    assert app.secret_hash == sha256(SECRET.encode()).digest()
    assert app.redirect_uris == ["https://app.example.com/callback"]
    assert app.client_name == "app"
    assert app.require_pkce
    assert not app.first_party
    assert (await store.read(apis.load_apis)).by_audience["https://api.example.com"].scopes == {
        "notes:read": "Read them"
    }
    sub = await store.read(users.find_sub, "ADA@example.com")
    assert sub is not None
    ada = await store.read(users.find_user, sub)
    assert ada is not None
    assert (ada.claims, ada.roles) == ({"name": "Ada"}, ["editor"])


async def test_a_plan_changes_nothing(store: Store, clock: MovableClock) -> None:
    first = await plan(store, settings())
    assert await plan(store, settings()) == first != []


async def test_an_update_names_the_changed_fields_without_values(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    changed = settings(
        api=[API | {"name": "My notes"}],
        client=[APP | {"client_secret": f"another {SECRET}", "client_name": "App"}, BOT],
        user=[ADA | {"roles": [], "name": None, "nickname": "Countess"}, GRACE],
    )
    assert await applied(store, changed, clock) == [
        "update api https://api.example.com: name",
        "update client app: client_secret, client_name",
        "update user ada@example.com: roles, name, nickname",
    ]
    app = await store.read(clients.find_client, "app")
    assert app is not None
    assert app.secret_hash == sha256(f"another {SECRET}".encode()).digest()


async def test_a_password_has_an_effect_at_creation_only(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    before = await credentials(store)
    assert before is not None
    assert before.password_hash is not None
    assert Passwords.identify(before.password_hash)
    for changes in ({"password": "another"}, {"password": "env:NOT_SET_ANYWHERE"}):
        assert await applied(store, settings(user=[ADA | changes, GRACE]), clock) == []
        assert await credentials(store) == before


async def test_a_password_hash_is_stored_unchanged(store: Store, clock: MovableClock) -> None:
    password_hash = Passwords.hash("correct horse")
    await apply(store, settings(user=[ADA | {"password": None, "password_hash": password_hash}]), clock)
    ada = await credentials(store)
    assert ada is not None
    assert ada.password_hash == password_hash


async def test_a_row_that_is_no_longer_declared_is_disabled_until_it_is_declared_again(
    store: Store, clock: MovableClock
) -> None:
    await apply(store, settings(), clock)
    assert await applied(store, settings(api=[], client=[BOT], user=[GRACE]), clock, allow_disable=True) == [
        "disable api https://api.example.com",
        "disable client app",
        "disable user ada@example.com",
    ]
    assert (await store.read(apis.load_apis)).by_audience == {}
    assert await store.read(clients.find_client, "app") is None
    assert await credentials(store) is None
    assert await applied(store, settings(), clock) == [
        "enable api https://api.example.com",
        "enable client app",
        "enable user ada@example.com",
    ]
    assert await store.read(clients.find_client, "app") is not None
    assert await credentials(store) is not None


async def test_tokens_and_sessions_of_disabled_rows_are_revoked(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    lifetime = FamilyLifetime(refresh_token=3600, family=7200, access_token=300)
    sub = await store.read(users.find_sub, "ada@example.com")

    def begin(connection: Connection, family_id: bytes, client_id: str, sub: str | None) -> None:
        token_families.begin_family(
            connection,
            family_id,
            Authorization(client_id, sub, scope="openid"),
            status_index=family_id[-1],
            refresh_secret=token_families.NO_REFRESH_TOKEN,
            now=clock(),
            lifetime=lifetime,
        )

    await store.write(begin, b"of the app", "app", None)
    await store.write(begin, b"of ada", "bot", sub)
    await apply(store, settings(client=[BOT], user=[GRACE]), clock)
    await apply(store, settings(), clock)
    for family_id in (b"of the app", b"of ada"):
        family = await store.read(token_families.find_live_family, family_id, now=clock(), login_session_idle=3600)
        assert family is None


async def test_a_row_disabled_by_command_stays_disabled(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    sub = await store.read(users.find_sub, "ada@example.com")
    assert sub is not None
    await store.write(clients.disable_client, "app", by="command", now=clock())
    await store.write(users.disable_user, sub, by="command", now=clock())
    assert await applied(store, settings(), clock) == []
    assert await applied(store, settings(client=[BOT], user=[GRACE]), clock) == []
    assert await applied(store, settings(), clock) == []
    assert await store.read(clients.find_client, "app") is None
    assert await credentials(store) is None


async def test_a_row_disabled_by_the_file_and_then_by_command_stays_disabled(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    await apply(store, settings(client=[BOT], user=[GRACE]), clock)
    sub = await store.read(users.find_sub, "ada@example.com")
    assert sub is not None
    await store.write(clients.disable_client, "app", by="command", now=clock())
    await store.write(users.disable_user, sub, by="command", now=clock())
    assert await applied(store, settings(), clock) == []


async def test_rows_made_by_command_are_not_changed(store: Store, clock: MovableClock) -> None:
    await store.write(
        users.add_user,
        email="Ada@Example.com",
        password_hash=None,
        claims={},
        roles=[],
        origin="command",
        now=clock(),
    )
    assert await applied(store, settings(user=[]), clock) == [
        "create api https://api.example.com",
        "create client app",
        "create client bot",
    ]
    assert await credentials(store) is not None
    with pytest.raises(Misconfigured, match=r"the user 'ada@example\.com' exists already"):
        await apply(store, settings(), clock)


async def test_a_client_id_is_never_the_sub_of_a_user(store: Store, clock: MovableClock) -> None:
    await apply(store, settings(), clock)
    sub = await store.read(users.find_sub, "ada@example.com")
    declared = settings(client=[BOT | {"client_id": sub}])
    for refused in (plan(store, declared), apply(store, declared, clock)):
        with pytest.raises(Misconfigured, match="the sub of a user"):
            await refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client": [APP | {"client_secret": "s" * 31}]}, "client_secret of app needs at least 32"),
        ({"client": [APP | {"client_secret": "é" * 32}]}, "client_secret of app needs at least 32"),
        ({"client": [APP | {"client_secret": "env:NOT_SET_ANYWHERE"}]}, "client_secret of app: .* NOT_SET_ANYWHERE"),
        ({"client": [APP | {"client_secret": "file:/not/there"}]}, "client_secret of app: .* /not/there"),
        ({"user": [ADA | {"password": "env:NOT_SET_ANYWHERE"}]}, "password of ada@example.com: .* NOT_SET_ANYWHERE"),
        ({"user": [ADA | {"password": "p" * 1025}]}, "password of ada@example.com: .* 1024"),
        ({"user": [ADA | {"password": "sevench"}]}, "password of ada@example.com: .* at least 8 characters"),
        ({"user": [ADA | {"password": None, "password_hash": "5f4dcc3b"}]}, "password_hash of ada@example.com"),
    ],
)
async def test_an_unusable_secret_changes_nothing(
    store: Store, clock: MovableClock, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason):
        await plan(store, settings(**changes))
    with pytest.raises(Misconfigured, match=reason):
        await apply(store, settings(**changes), clock)
    assert await store.read(clients.list_clients) == []


async def test_configuration_that_disables_more_than_it_keeps_is_refused_unless_allowed(
    store: Store, clock: MovableClock
) -> None:
    await apply(store, settings(), clock)
    wrong_file = settings(api=[], client=[BOT | {"client_id": "another"}], user=[])
    assert "APIs: 1, clients: 2, users: 2; kept: 0" in (await refusal_to_disable(store, wrong_file) or "")
    with pytest.raises(Misconfigured, match=r"more than it keeps .* --allow-disable"):
        await apply(store, wrong_file, clock)
    assert await plan(store, settings()) == [], "nothing was changed"
    assert len(await apply(store, wrong_file, clock, allow_disable=True)) == 6
    assert await refusal_to_disable(store, wrong_file) is None


async def test_configuration_that_disables_as_much_as_it_keeps_is_applied(store: Store, clock: MovableClock) -> None:
    declared = settings(user=[ADA])
    await apply(store, declared, clock)
    half = settings(client=[BOT], user=[])
    assert await refusal_to_disable(store, half) is None
    assert await applied(store, half, clock) == ["disable client app", "disable user ada@example.com"]


async def test_disabled_rows_and_rows_made_by_command_do_not_count_as_disabled_by_the_configuration(
    store: Store, clock: MovableClock
) -> None:
    await apply(store, settings(), clock)
    await store.write(clients.disable_client, "app", by="command", now=clock())
    for name in ("one", "two", "three"):
        await store.write(
            users.add_user,
            email=f"{name}@example.com",
            password_hash=None,
            claims={},
            roles=[],
            origin="command",
            now=clock(),
        )
    assert await refusal_to_disable(store, settings(client=[BOT], user=[ADA])) is None


async def test_secrets_may_be_references(
    store: Store, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("BOT_SECRET", SECRET)
    elsewhere = [APP | {"client_secret": f"file:{tmp_path / 'secret'}"}, BOT | {"client_secret": "env:BOT_SECRET"}]
    await apply(store, settings(client=elsewhere), clock)
    assert await plan(store, settings()) == []


async def test_concurrent_applies_have_the_result_of_one(
    store: Store, auth_tables_url: str, clock: MovableClock
) -> None:
    others = [patient_store(auth_tables_url, pool_size=1) for _ in range(4)]
    try:
        changed = await asyncio.gather(*(apply(other, settings(), clock) for other in others))
    finally:
        await asyncio.gather(*(other.close() for other in others))
    assert sorted(map(len, changed)) == [0, 0, 0, 5]
    assert len(await store.read(lambda connection: connection.execute(select(tables.users)).all())) == 2


async def test_the_origins_of_a_client_are_stored_even_if_nothing_else_changed(
    store: Store, clock: MovableClock
) -> None:
    """As after the migration, which creates the table empty for clients that exist."""
    spa = {"client_id": "spa", "token_endpoint_auth_method": "none", "redirect_uris": ["https://spa.example.com/back"]}
    declared = settings(client=[spa])
    await applied(store, declared, clock)
    for before in ([], ["https://old.example.com"]):
        await store.write(clients.set_origins, "spa", before)
        assert await applied(store, declared, clock) == ["update client spa: allowed_origins"]
        assert await store.read(clients.is_public_origin, "https://spa.example.com")
        assert not await store.read(clients.is_public_origin, "https://old.example.com")
