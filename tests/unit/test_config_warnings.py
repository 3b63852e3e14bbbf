"""Warnings about settings that are valid but misleading."""

from pathlib import Path

import pytest

from auth_service.configuration.configuration_warnings import config_warnings
from auth_service.settings.settings import Settings

PUBLIC = {"client_id": "app", "token_endpoint_auth_method": "none"}
SECRET = {"client_id": "app", "client_secret": "a secret of at least thirty-two characters"}


def warnings_for(**client: object) -> list[str]:
    settings = {"issuer": "https://id.example.com", "database_url": "sqlite:///auth.db", "client": [client]}
    return config_warnings(Settings.model_validate(settings))


@pytest.mark.parametrize(
    "redirect_uris",
    [["http://localhost:3000/callback"], ["https://app.example.com/callback", "http://127.0.0.1:3000/callback"]],
)
def test_first_party_public_client_on_loopback_is_warned_about(redirect_uris: list[str]) -> None:
    (warning,) = warnings_for(**PUBLIC, redirect_uris=redirect_uris, first_party=True)
    assert warning.startswith(f"client app: first_party has no effect at {redirect_uris[-1]}: ")


def test_first_party_native_client_is_warned_about() -> None:
    native = {"application_type": "native", "redirect_uris": ["com.example.app:/callback"]}
    assert len(warnings_for(**PUBLIC, **native, first_party=True)) == 1


def test_clients_where_first_party_has_an_effect_are_not_warned_about() -> None:
    assert warnings_for(**SECRET, redirect_uris=["http://localhost:3000/callback"], first_party=True) == []
    assert warnings_for(**PUBLIC, redirect_uris=["https://app.example.com/callback"], first_party=True) == []
    assert warnings_for(**PUBLIC, redirect_uris=["http://localhost:3000/callback"]) == []


@pytest.mark.parametrize(
    ("mode", "is_exposed"), [(0o600, False), (0o400, False), (0o644, True), (0o640, True), (0o620, True)]
)
def test_a_secret_file_that_other_users_can_read_is_warned_about(tmp_path: Path, mode: int, is_exposed: bool) -> None:
    key, secret = tmp_path / "master.key", tmp_path / "app.secret"
    for path in (key, secret):
        path.write_text("a secret of at least thirty-two characters")
        path.chmod(mode)
    settings = {
        "issuer": "https://id.example.com",
        "database_url": "sqlite:///auth.db",
        "master_key": f"file:{key}",
        "client": [
            {"client_id": "app", "client_secret": f"file:{secret}", "redirect_uris": ["https://app.example/cb"]}
        ],
    }
    warnings = config_warnings(Settings.model_validate(settings))
    assert len(warnings) == (2 if is_exposed else 0)
    for warning, path in zip(warnings, (key, secret), strict=False):
        assert f"the file {path} (mode {mode:04o}); chmod 600 {path}" in warning
        assert "thirty-two" not in warning


def test_a_missing_master_key_file_is_not_warned_about(tmp_path: Path) -> None:
    settings = {"issuer": "https://id.example.com", "database_url": "sqlite:///auth.db"}
    assert config_warnings(Settings.model_validate(settings | {"master_key": f"file:{tmp_path}/none"})) == []


@pytest.mark.parametrize(("ahead", "count"), [(10, 1), (59, 1), (60, 0), (900, 0)])
def test_a_short_signing_key_ahead_is_warned_about(ahead: int, count: int) -> None:
    settings = Settings.model_validate(
        {
            "issuer": "https://id.example.com",
            "database_url": "sqlite:///auth.db",
            "lifetimes": {"signing_key_ahead": ahead},
        }
    )
    warnings = config_warnings(settings)
    assert len(warnings) == count
    assert all(f"signing_key_ahead is {ahead}" in warning for warning in warnings)
