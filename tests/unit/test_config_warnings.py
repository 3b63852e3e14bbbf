"""Declarations without the effect that they seem to have are told to the operator."""

import pytest

from auth_service.config_warnings import config_warnings
from auth_service.settings import Settings

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


def test_clients_for_which_first_party_has_its_effect_are_not_warned_about() -> None:
    assert warnings_for(**SECRET, redirect_uris=["http://localhost:3000/callback"], first_party=True) == []
    assert warnings_for(**PUBLIC, redirect_uris=["https://app.example.com/callback"], first_party=True) == []
    assert warnings_for(**PUBLIC, redirect_uris=["http://localhost:3000/callback"]) == []
