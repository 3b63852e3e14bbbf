"""The migrations create the tables that the units of work use, and keep all rows."""

import asyncio
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, select

from auth_service.store.schema import tables as auth_tables
from auth_service.store.tokens import revocations, token_families
from auth_service.store.users import users
from auth_service.vocabulary.password_costs import PasswordCost
from resource_service.store import tables as notes_tables
from tallystick_service.store.migrations import migrate
from tests.support.patience import patient_store


@pytest.mark.parametrize(
    ("package", "metadata"),
    [("auth_service.migrations", auth_tables.metadata), ("resource_service.migrations", notes_tables.metadata)],
    ids=["auth_service", "resource_service"],
)
async def test_a_migrated_store_has_the_declared_tables(database_url: str, package: str, metadata: MetaData) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    for _ in range(2):
        await asyncio.to_thread(migrate, database_url, package)
    store = patient_store(database_url)
    try:
        assert await store.read(differences) == []
    finally:
        await store.close()


FIRST_ROWS: dict[str, dict[str, object]] = {
    "apis": {"audience": "https://api", "name": "Notes", "scopes": {"read": "Read"}, "introspection_clients": []},
    "clients": {"client_id": "app", "metadata": {"scope": "openid"}, "origin": "file", "created_at": 1},
    "users": {
        "sub": "ada",
        "email": "ada@example.com",
        "email_key": "ada@example.com",
        "password_hash": "pbkdf2_sha256$1000$sea$…",
        "claims": {"name": "Ada"},
        "roles": ["editor"],
        "origin": "command",
        "created_at": 1,
        "updated_at": 1,
    },
    "login_sessions": {
        "sid": "sid",
        "cookie_hash": b"cookie",
        "sub": "ada",
        "auth_time": 1,
        "last_seen_at": 1,
        "expires_at": 2_000_000_000,
    },
    "authorization_codes": {
        "code_hash": b"code",
        "client_id": "app",
        "sub": "ada",
        "sid": "sid",
        "redirect_uri": "https://app/callback",
        "scope": "openid",
        "resources": [],
        "auth_time": 1,
        "expires_at": 61,
        "prune_at": 100,
    },
    "token_families": {
        "family_id": b"family",
        "client_id": "app",
        "sub": "ada",
        "sid": "sid",
        "scope": "openid",
        "resources": ["https://api"],
        "auth_time": 1,
        "generation": 3,
        "rotated_at": 1,
        "refresh_expires_at": 2_000_000_000,
        "expires_at": 2_000_000_000,
        "prune_at": 2_000_000_000,
    },
    "consents": {"sub": "ada", "client_id": "app", "scope": "openid", "granted_at": 1},
    "signing_keys": {
        "kid": "kid",
        "alg": "ES256",
        "public_jwk": {"kty": "EC"},
        "private_key": b"sealed",
        "published_at": 1,
        "signs_from": 1,
    },
    "secrets": {"name": "refresh_key", "version": 1, "secret": b"sealed"},
    "guesses": {"bucket": b"bucket", "full_until": 1},
}
"""One row in each table of the first release."""


async def test_rows_of_the_first_release_survive_every_migration(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each migration runs on a database with rows, and changes no value in them."""
    package, steps = _package_without_steps(tmp_path, monkeypatch)
    store = patient_store(database_url)
    try:
        for step in steps:
            shutil.copy(step, tmp_path / package / "versions")
            await asyncio.to_thread(migrate, database_url, package)
            if step == steps[0]:
                await store.write(_fill)
            assert await store.read(_kept) == FIRST_ROWS, step.name
        assert await store.read(users.password_costs) == (PasswordCost("pbkdf2_sha256", 1000),)
        family = await store.read(token_families.find_family, b"family")
        assert family is not None
        assert (family.authorization.sid, family.roles) == ("sid", ["editor"])
        assert await store.write(revocations.revoke_family, b"family", now=2)
    finally:
        await store.close()


def _package_without_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[Path]]:
    """A folder for a copy of the migrations, and the migrations of the auth service in their order."""
    package = f"steps_{tmp_path.name.replace('-', '_')}"
    (tmp_path / package / "versions").mkdir(parents=True)
    (tmp_path / package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    steps = Path(str(files("auth_service.migrations"))).glob("versions/0*.py")
    followers = {_names(step, "down_revision"): step for step in steps}
    ordered = [followers[None]]
    while (last := _names(ordered[-1], "revision")) in followers:
        ordered.append(followers[last])
    assert len(ordered) == len(followers)
    return package, ordered


def _names(step: Path, variable: str) -> str | None:
    match = re.search(rf'^{variable}(?:: [^=]+)? = (?:None|"(.*)")$', step.read_text("utf-8"), re.MULTILINE)
    assert match, step
    return match[1]


async def test_an_email_with_an_xn_domain_gets_the_key_of_its_unicode_form(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Except if another user has that key. No row is deleted."""
    emails = ["ada@xn--bcher-kva.example", "bob@xn--bcher-kva.example", "bob@bücher.example", "xn--eve@example.com"]
    package, steps = _package_without_steps(tmp_path, monkeypatch)
    store = patient_store(database_url)

    def fill(connection: Connection) -> None:
        users = Table("users", MetaData(), autoload_with=connection)
        for email in emails:
            row = FIRST_ROWS["users"] | {"sub": email, "email": email, "email_key": email}
            connection.execute(users.insert().values(**row))

    def keys(connection: Connection) -> list[str]:
        users = auth_tables.metadata.tables["users"]
        found = {row.sub: row.email_key for row in connection.execute(select(users))}
        return [found[email] for email in emails]

    try:
        for step in steps:
            shutil.copy(step, tmp_path / package / "versions")
            await asyncio.to_thread(migrate, database_url, package)
            if step == steps[0]:
                await store.write(fill)
        assert await store.read(keys) == ["ada@bücher.example", *emails[1:]]
    finally:
        await store.close()


def _fill(connection: Connection) -> None:
    for name, row in FIRST_ROWS.items():
        connection.execute(Table(name, MetaData(), autoload_with=connection).insert().values(**row))


def _kept(connection: Connection) -> dict[str, dict[str, object]]:
    columns = {name: [auth_tables.metadata.tables[name].c[key] for key in row] for name, row in FIRST_ROWS.items()}
    return {name: dict(connection.execute(select(*chosen)).mappings().one()) for name, chosen in columns.items()}
