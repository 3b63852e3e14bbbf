"""A database URL can be read from a file, because it may hold a password."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from tallystick_service.settings import Misconfigured
from tallystick_service.settings.database_url import DatabaseUrl

URL = TypeAdapter(DatabaseUrl)


@pytest.mark.parametrize("url", ["sqlite:///var/auth.db", "sqlite:////srv/auth.db", "postgresql:///auth?host=/run/db"])
def test_a_url_is_taken_literally(url: str) -> None:
    assert URL.validate_python(url) == url


def test_a_url_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://auth:secret@auth-db/auth\n")
    assert URL.validate_python(f"file:{tmp_path}/url") == "postgresql://auth:secret@auth-db/auth"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"{tmp_path}/url cannot be read"):
        URL.validate_python(f"file:{tmp_path}/url")


@pytest.mark.parametrize("url", ["mysql://auth-db/auth", "sqlite://auth.db", "auth.db", ""])
def test_the_url_of_another_database_is_refused(url: str) -> None:
    with pytest.raises((ValidationError, Misconfigured)):
        URL.validate_python(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:SECRET%ZZ@127.0.0.1/db",
        "postgresql://u:SEC%@127.0.0.1/db",
        "postgresql://u:SEC@RET@127.0.0.1/db",
        "postgresql://u:SEC/RET@127.0.0.1/db",
        "postgresql://u:SEC:RET/x@127.0.0.1/db",
        "postgresql://u:123/SEC@127.0.0.1/db",
        "postgresql://u:SEC@q/RET@127.0.0.1/db",
        "postgresql://u:SEC\udcff@127.0.0.1/db",
        "postgresql://u@127.0.0.1:SECRET/db",
        "postgresql://u:1234?sslmode=SEC/RET@127.0.0.1/db",
        "postgresql://u:?host=SEC/RET@127.0.0.1/db",
        "postgresql://SECRET:70000/db",
        "postgresql://SECRET:0/db",
        "postgresql://SECRET:²/db",
        "postgres://127.0.0.1/db?passwort=SECRET",
        "postgres://127.0.0.1/db?password=SECRET%",
    ],
)
def test_the_error_for_a_malformed_url_quotes_nothing(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        URL.validate_python(url)
    (error,) = refused.value.errors()
    assert "%XX" in error["msg"]
    assert not any(part in error["msg"] for part in ("SEC", "RET", "u:"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss%2F@127.0.0.1:5432/db",
        "postgresql://u:a:b!$&'()*+,;=-._~#?@[::1]:5432/db?sslmode=require",
        "postgres://one:5432,two:5433/db?target_session_attrs=read-write",
        "postgresql://u@%2Frun%2Fdb/auth",
        "postgresql:///auth?host=/run/db&password=p%40",
        "postgresql://",
    ],
)
def test_every_form_of_a_libpq_url_is_accepted(url: str) -> None:
    assert URL.validate_python(url) == url
