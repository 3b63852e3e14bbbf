"""A database URL may stand in a file, because it holds a password."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from tallystick.server import Misconfigured
from tallystick.server.database_url import DatabaseUrl

URL = TypeAdapter(DatabaseUrl)


@pytest.mark.parametrize("url", ["sqlite:///var/auth.db", "sqlite:////srv/auth.db", "postgresql:///auth?host=/run/db"])
def test_a_url_stands_for_itself(url: str) -> None:
    assert URL.validate_python(url) == url


def test_a_file_stands_for_the_url_in_it(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://auth:secret@auth-db/auth\n")
    assert URL.validate_python(f"file:{tmp_path}/url") == "postgresql://auth:secret@auth-db/auth"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"{tmp_path}/url cannot be read"):
        URL.validate_python(f"file:{tmp_path}/url")


@pytest.mark.parametrize("url", ["mysql://auth-db/auth", "sqlite://auth.db", "auth.db", ""])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises((ValidationError, Misconfigured)):
        URL.validate_python(url)
