"""What `make front` prepares for a run of the conformance suite, without starting anything."""

import json
import ssl
import stat
import tomllib
from pathlib import Path

import pytest

from auth_service.settings.settings import Settings
from deploy.tls.place import SUITE, Place


def settings_of(place: Place) -> Settings:
    return Settings.model_validate(tomllib.loads(place.auth_toml.read_text()))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "tls")
    place.prepare()
    return place


def test_the_issuer_is_https_and_only_the_front_may_tell_addresses(place: Place) -> None:
    settings = settings_of(place)
    assert settings.issuer == "https://localhost:9443"
    assert settings.trusted_proxies == ["127.0.0.1/32"]


def test_nobody_on_another_machine_can_reach_it(place: Place) -> None:
    """Anybody who could would register clients, and sign in as a user whose password is known."""
    words = place.nginx_conf.read_text().split()
    listening = [words[at + 1] for at, word in enumerate(words) if word == "listen"]
    assert listening
    assert {address.rpartition(":")[0] for address in listening} <= {"127.0.0.1", "[::1]"}


def test_clients_may_register_themselves_and_go_without_pkce(place: Place) -> None:
    settings = settings_of(place)
    assert (settings.registration.mode, settings.registration.require_pkce) == ("open", False)
    assert not any(client.require_pkce for client in settings.client)


def test_each_client_can_be_called_back_by_the_suite_and_the_suite_be_called(tmp_path: Path) -> None:
    place = Place(tmp_path / "tls", suites=(SUITE, "https://suite.example.net/test/a/another"))
    place.prepare()
    settings = settings_of(place)
    for client in settings.client:
        assert client.redirect_uris == [
            "https://localhost.emobix.co.uk:8443/test/a/callback",
            "https://suite.example.net/test/a/another/callback",
        ]
        assert client.post_logout_redirect_uris[0] == f"{SUITE}/post_logout_redirect"
    assert {"localhost.emobix.co.uk", "suite.example.net"} <= set(settings.outgoing.allow_hosts)


def test_one_client_is_told_of_logouts_and_the_others_are_not(place: Place) -> None:
    told = {client.client_id: client.backchannel_logout_uri for client in settings_of(place).client}
    assert told.pop("backchannel_logout") == f"{SUITE}/backchannel_logout"
    assert set(told.values()) == {None}


def test_the_user_has_every_standard_claim(place: Place) -> None:
    (user,) = settings_of(place).user
    standard = type(user).model_fields.keys() - {"password", "password_hash", "roles"}
    assert len(standard) == 18  # of the twenty of OpenID Connect Core §5.1; sub and updated_at are the store's
    assert {"email", *user.claims} == standard


def test_the_suites_own_configuration_names_the_same_clients(place: Place) -> None:
    told = json.loads(place.suite_json.read_text())
    assert told["server"] == {"discoveryUrl": "https://localhost:9443/.well-known/openid-configuration"}
    for key in ("client", "client2", "client_secret_post"):
        assert place.clients()[told[key]["client_id"]] == told[key]["client_secret"]


def test_another_start_keeps_the_secrets_and_makes_another_authority(place: Place) -> None:
    secrets, authority = place.clients(), place.ca.read_bytes()
    place.prepare()
    assert place.clients() == secrets
    assert place.ca.read_bytes() != authority


def test_nobody_else_can_look_at_keys_and_secrets(place: Place) -> None:
    assert stat.S_IMODE(place.var.stat().st_mode) == 0o700
    for path in [*place.var.rglob("*.key"), *place.var.rglob("*.secret")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_suites_own_certificate_is_trusted_beside_ours(tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    other.prepare()
    place = Place(tmp_path / "tls", ca_file=other.ca)
    place.prepare()
    trusted = ssl.create_default_context(cafile=settings_of(place).outgoing.ca_file)
    assert len(trusted.get_ca_certs()) == 2
