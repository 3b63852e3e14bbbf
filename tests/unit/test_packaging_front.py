"""The files that `make front` creates for a run of the conformance suite."""

import json
import ssl
import stat
import tomllib
from pathlib import Path

import pytest

from auth_service.settings.settings import Settings
from deploy.tls.front_files import SUITE, FrontFiles


def settings_of(files: FrontFiles) -> Settings:
    return Settings.model_validate(tomllib.loads(files.auth_toml.read_text()))


@pytest.fixture
def files(tmp_path: Path) -> FrontFiles:
    files = FrontFiles(tmp_path / "tls")
    files.prepare()
    return files


def test_issuer_is_https_and_only_the_front_is_a_trusted_proxy(files: FrontFiles) -> None:
    settings = settings_of(files)
    assert settings.issuer == "https://localhost:9443"
    assert settings.trusted_proxies == ["127.0.0.1/32"]


def test_nginx_listens_on_loopback_only(files: FrontFiles) -> None:
    """The run has open registration and a user with a known password."""
    words = files.nginx_conf.read_text().split()
    listening = [words[at + 1] for at, word in enumerate(words) if word == "listen"]
    assert listening
    assert {address.rpartition(":")[0] for address in listening} <= {"127.0.0.1", "[::1]"}


def test_registration_is_open_and_pkce_is_optional(files: FrontFiles) -> None:
    settings = settings_of(files)
    assert (settings.registration.mode, settings.registration.require_pkce) == ("open", False)
    assert not any(client.require_pkce for client in settings.client)


def test_clients_have_the_suite_callbacks_and_the_suite_hosts_are_allowed(tmp_path: Path) -> None:
    files = FrontFiles(tmp_path / "tls", suites=(SUITE, "https://suite.example.net/test/a/another"))
    files.prepare()
    settings = settings_of(files)
    for client in settings.client:
        assert client.redirect_uris == [
            "https://localhost.emobix.co.uk:8443/test/a/callback",
            "https://suite.example.net/test/a/another/callback",
        ]
        assert client.post_logout_redirect_uris[0] == f"{SUITE}/post_logout_redirect"
    assert {"localhost.emobix.co.uk", "suite.example.net"} <= set(settings.outgoing.allow_hosts)


def test_only_one_client_receives_back_channel_logout(files: FrontFiles) -> None:
    configuration = {client.client_id: client.backchannel_logout_uri for client in settings_of(files).client}
    assert configuration.pop("backchannel_logout") == f"{SUITE}/backchannel_logout"
    assert set(configuration.values()) == {None}


def test_user_has_every_standard_claim(files: FrontFiles) -> None:
    (user,) = settings_of(files).user
    standard = type(user).model_fields.keys() - {"password", "password_hash", "roles"}
    assert len(standard) == 18  # of the twenty of OpenID Connect Core §5.1; the store adds sub and updated_at
    assert {"email", *user.claims} == standard


def test_suite_configuration_names_the_declared_clients(files: FrontFiles) -> None:
    configuration = json.loads(files.suite_json.read_text())
    assert configuration["server"] == {"discoveryUrl": "https://localhost:9443/.well-known/openid-configuration"}
    for key in ("client", "client2", "client_secret_post"):
        assert files.client_secrets()[configuration[key]["client_id"]] == configuration[key]["client_secret"]


def test_second_start_keeps_the_secrets_and_creates_a_new_authority(files: FrontFiles) -> None:
    secrets, authority = files.client_secrets(), files.ca.read_bytes()
    files.prepare()
    assert files.client_secrets() == secrets
    assert files.ca.read_bytes() != authority


def test_keys_and_secrets_are_readable_by_their_owner_only(files: FrontFiles) -> None:
    assert stat.S_IMODE(files.var.stat().st_mode) == 0o700
    for path in [*files.var.rglob("*.key"), *files.var.rglob("*.secret")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_certificate_of_the_suite_is_trusted_besides_our_own(tmp_path: Path) -> None:
    other = FrontFiles(tmp_path / "other")
    other.prepare()
    files = FrontFiles(tmp_path / "tls", ca_file=other.ca)
    files.prepare()
    trusted = ssl.create_default_context(cafile=settings_of(files).outgoing.ca_file)
    assert len(trusted.get_ca_certs()) == 2
