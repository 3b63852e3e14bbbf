"""Settings: an invalid one stops the start with one line that names it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from auth_service.configuration.configuration_file import read_config
from auth_service.settings.settings import Settings
from tallystick_service.settings import Misconfigured

API = {"audience": "https://api.example.com", "name": "Notes", "scopes": {"notes:read": "Read your notes"}}
APP: dict[str, Any] = {
    "client_id": "app",
    "client_secret": "s" * 32,
    "redirect_uris": ["https://app.example.com/callback"],
    "scope": "openid notes:read",
}
USER: dict[str, Any] = {"email": "ada@example.com", "password": "correct horse"}


def settings(**changes: object) -> Settings:
    good = {"issuer": "https://id.example.com", "database_url": "sqlite:///auth.db"}
    declared = {"api": [API], "client": [APP], "user": [USER]}
    return Settings.model_validate({**good, **declared, **changes})


def test_the_default_lifetimes() -> None:
    assert settings().lifetimes.model_dump() == {
        "access_token": 300,
        "code": 60,
        "refresh_token": 1209600,
        "refresh_token_family": 7776000,
        "refresh_token_grace": 60,
        "refresh_token_grace_public": 10,
        "id_token": 300,
        "login_session_idle": 28800,
        "login_session_absolute": 2592000,
        "signing_key": 7776000,
        "signing_key_ahead": 60,
    }


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example.com",
        "https://id.example.com:8443",
        "http://localhost:8000",
        "http://id.localhost",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ],
)
def test_an_issuer_is_an_origin_on_https_or_on_loopback(issuer: str) -> None:
    assert settings(issuer=issuer).issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "reason"),
    [
        ("http://id.example.com", "plain http is for loopback only"),
        ("http://10.0.0.1", "plain http is for loopback only"),
        ("https://id.example.com/", "origin"),
        ("https://id.example.com/tenant", "origin"),
        ("https://id.example.com?x", "origin"),
        ("https://id.example.com#x", "origin"),
        ("https://user@id.example.com", "origin"),
        ("https://ID.example.com", "lower case"),
        ("https://", "https URL"),
        ("ftp://id.example.com", "https URL"),
        ("id.example.com", "https URL"),
        ("https://id.example.com:port", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://bücher.example", "as browsers send it: https://xn--bcher-kva.example"),
        ("https://straße.example:8443", "as browsers send it: https://xn--strae-oqa.example:8443"),
        ("https://id.example.com:0443", "without leading zeros"),
        ("https://id%2eexample.com", "no percent signs"),
        ("https://127.1", "four decimal numbers"),
        ("https://[0:0::1]", "shortest form"),
    ],
)
def test_any_other_issuer_is_refused(issuer: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(issuer=issuer)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"colour": "green"}, "extra_forbidden"),
        ({"lifetimes": {"access_tokens": 300}}, "extra_forbidden"),
        ({"lifetimes": {"access_token": 0}}, "greater than or equal to 1"),
        ({"outgoing": {"allow_hosts": ["App.example.org"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["https://app.example.org"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["app.example.org/"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["*.example.org:x"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["app.example.org:65536"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["app.example.org:0"]}}, "a host in lower case"),
        ({"outgoing": {"allow_hosts": ["::1"]}}, "in brackets"),
        ({"outgoing": {"allow_hosts": [""]}}, "a host in lower case"),
        ({"trusted_proxies": ["localhost"]}, "does not appear to be an IPv4 or IPv6 network"),
        ({"database_url": "mysql://host/db"}, "must begin with sqlite:/// or postgresql://"),
        ({"client": [APP, APP]}, "'app' is declared twice"),
        ({"user": [USER, USER | {"email": "ADA@example.com"}]}, "'ada@example.com' is declared twice"),
        ({"api": [API, API | {"audience": "https://other.example.com"}]}, "'notes:read' is declared twice"),
        ({"api": [API | {"audience": "https://id.example.com"}]}, "the issuer cannot be an api's audience"),
        ({"api": [API | {"audience": "https://id.example.com/"}]}, "the issuer cannot be an api's audience"),
        ({"api": [API, API | {"audience": f"{API['audience']}/"}]}, "is declared twice"),
        ({"api": [API | {"audience": "notes"}]}, "absolute URI"),
        (
            {"api": [API | {"audience": "https://bücher.example"}]},
            "as browsers send it: https://xn--bcher-kva.example",
        ),
        ({"api": [API | {"audience": "http://notes.example.com"}]}, "plain http is for loopback only"),
        ({"client": [APP | {"redirect_uris": ["https://bücher.example/ü"]}]}, "https://xn--bcher-kva.example/%C3%BC"),
        ({"client": [APP | {"id_token_claims": ["email", "sub"]}]}, "'sub' is not a claim that an ID Token can have"),
        ({"api": [API | {"scopes": {"openid": "x"}}]}, "OpenID Connect's own"),
        ({"api": [API | {"scopes": {"two words": "x"}}]}, "is not one scope"),
        ({"api": []}, "'notes:read', which no"),
    ],
)
def test_an_invalid_setting_is_named(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uris": []}, "needs redirect_uris"),
        ({"redirect_uris": ["http://app.example.com/"]}, "plain http is for loopback only"),
        ({"post_logout_redirect_uris": ["https://app.example.com/#"]}, "fragment"),
        ({"redirect_uris": ["https://*.example.com/callback"]}, "wildcard"),
        ({"redirect_uris": ["https://app.example.com:443/callback"]}, "default"),
        ({"redirect_uris": ["cursor://callback"]}, "application_type native"),
        ({"redirect_uris": ["javascript:alert(1)"], "application_type": "native"}, "private-use scheme"),
        ({"jwks_uri": "https://App.example.com/jwks"}, "lower case"),
        ({"client_secret": None}, "client_secret exactly when"),
        ({"token_endpoint_auth_method": "none"}, "client_secret exactly when"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "Input should be"),
        ({"grant_types": ["refresh_token"]}, "needs authorization_code, too"),
        ({"grant_types": ["password"]}, "Input should be"),
        ({"client_id": "two words"}, "pattern"),
        ({"client_id": ""}, "at least 1 character"),
        (
            {"token_endpoint_auth_method": "none", "client_secret": None, "grant_types": ["client_credentials"]},
            "no credentials",
        ),
        ({"token_endpoint_auth_method": "none", "client_secret": None, "require_pkce": False}, "confidential"),
    ],
)
def test_a_client_with_conflicting_fields_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(client=[APP | changes])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": None}, "either password or password_hash"),
        ({"password_hash": "$argon2id$"}, "either password or password_hash"),
        ({"email": "ada"}, "not an email address"),
        ({"email": "ada@example.com "}, "not an email address"),
        ({"favourite_colour": "green"}, "extra_forbidden"),
        ({"birthdate": "10 December"}, "pattern"),
    ],
)
def test_a_user_has_standard_claims_and_one_password(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(user=[USER | changes])


def test_the_repr_has_no_secret() -> None:
    shown = repr(settings())
    assert APP["client_secret"] not in shown
    assert USER["password"] not in shown


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tallystick.toml"
    file.write_text('issuer = "https://id.example.com"\ndatabase_url = "sqlite:///auth.db"\n[lifetimes]\ncode = 30\n')
    monkeypatch.setenv("AUTH_ISSUER", "https://login.example.com")
    monkeypatch.setenv("AUTH_LIFETIMES__ACCESS_TOKEN", "120")
    read = read_config(file)
    assert read.issuer == "https://login.example.com"
    assert (read.lifetimes.code, read.lifetimes.access_token) == (30, 120)


def test_an_allowed_host_is_exact_and_may_have_a_port() -> None:
    allow_hosts = ["app.example.org", "127.0.0.1:8443", "[::1]:8443"]
    outgoing = settings(outgoing={"allow_hosts": allow_hosts}).outgoing
    assert outgoing.allows("app.example.org", 443)
    assert outgoing.allows("app.example.org", 8443)
    assert outgoing.allows("127.0.0.1", 8443)
    assert outgoing.allows("[::1]", 8443)
    assert not outgoing.allows("127.0.0.1", 443)
    assert not outgoing.allows("an.app.example.org", 443)
    assert not outgoing.allows("app.example.org.", 443)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file"),
        ("", "holds no certificate"),
        ("a certificate\n", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
    ],
)
def test_a_ca_file_without_a_certificate_stops_the_start_in_one_line(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    ca_file, config = tmp_path / "ca.pem", tmp_path / "tallystick.toml"
    if content is not None:
        ca_file.write_text(content)
    config.write_text(f"""
issuer = "https://id.example.com"
database_url = "sqlite:///auth.db"
[outgoing]
ca_file = "{ca_file}"
""")
    with pytest.raises(Misconfigured, match=f"outgoing.ca_file: {reason}") as refusal:
        read_config(config)
    assert "\n" not in str(refusal.value)


def test_configuration_without_database_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tallystick.toml"
    file.write_text('issuer = "https://id.example.com"\n')
    with pytest.raises(Misconfigured, match="database_url: is missing"):
        read_config(file)
    monkeypatch.setenv("AUTH_DATABASE_URL", "sqlite:///auth.db")
    assert read_config(file).database_url == "sqlite:///auth.db"


@pytest.mark.parametrize("content", ["issuer = ", 'issuer = "https://id.example.com"\ncolour = "green"\n', ""])
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tallystick.toml"
    file.write_text(content)
    with pytest.raises(Misconfigured) as refusal:
        read_config(file)
    assert "\n" not in str(refusal.value)
    assert str(file) in str(refusal.value)


@pytest.mark.parametrize("uri", ["cursor://callback", "audiobookshelf://oauth", "app.immich:///oauth-callback"])
def test_a_declared_native_client_may_have_any_private_use_scheme_and_a_secret(uri: str) -> None:
    declared = settings(client=[APP | {"application_type": "native", "redirect_uris": [*APP["redirect_uris"], uri]}])
    assert declared.client[0].redirect_uris[-1] == uri


@pytest.mark.parametrize("scheme", ["https", "javascript", "Cursor", "cursor:", ""])
def test_a_listed_private_use_scheme_must_be_one_that_an_app_can_own(scheme: str) -> None:
    with pytest.raises(ValidationError, match="private-use scheme"):
        settings(registration={"private_use_schemes": [scheme]})
