"""docker-compose.yml is valid by the Compose Specification and separates the networks."""

import json
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "support" / "compose_spec" / "compose-spec.json"

Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    by_name: dict[str, Service] = compose["services"]
    return by_name


def networks(service: Service) -> set[str]:
    return set(service["networks"])


def test_file_is_valid_by_the_schema_of_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [f"{list(error.instance_path)}: {error.message}" for error in schema.iter_errors(compose)] == []


def test_schema_detects_a_misspelled_key(compose: dict[str, Any]) -> None:
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    slipped = {**compose, "services": {"proxy": {**compose["services"]["proxy"], "readonly": True}}}
    assert not schema.is_valid(slipped)


def test_only_its_own_service_reaches_a_database(compose: dict[str, Any], services: dict[str, Service]) -> None:
    for database, owners in {"auth-db": {"auth-1", "auth-2"}, "notes-db": {"notes"}}.items():
        assert networks(services[database]) == {database}
        assert compose["networks"][database]["internal"] is True
        assert {name for name, service in services.items() if database in networks(service)} == owners | {database}


def test_the_two_services_share_no_network(services: dict[str, Service]) -> None:
    assert not networks(services["auth-1"]) & networks(services["notes"])


def test_only_the_proxy_is_published_and_only_with_tls(services: dict[str, Service]) -> None:
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "proxy": ["443:443"]
    }
    listening = [line.split()[1:] for line in nginx_lines() if line.startswith("listen ")]
    assert listening
    assert all(words[:2] in (["443", "ssl;"], ["443", "ssl"]) for words in listening)


def test_every_container_is_confined_and_has_limits(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name


def test_secrets_are_files_that_make_secrets_creates(compose: dict[str, Any], services: dict[str, Service]) -> None:
    script = (ROOT / "deploy" / "compose" / "make_secrets.sh").read_text()
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./var/compose/{name}"}
        assert name in script
    for service in services.values():
        for variable in service.get("environment", {}):
            assert variable.endswith("_FILE") or "PASSWORD" not in variable


def test_each_service_has_the_secrets_that_its_configuration_names(services: dict[str, Service]) -> None:
    for name, config in {"auth-1": "auth.toml", "auth-2": "auth.toml", "notes": "notes.toml"}.items():
        text = (ROOT / "deploy" / "compose" / config).read_text()
        assert "./deploy/compose:/etc/tallystick:ro" in services[name]["volumes"]
        assert f"/etc/tallystick/{config}" in services[name]["command"]
        named = {word.strip('"').removeprefix("file:/run/secrets/") for word in text.split() if "/run/secrets/" in word}
        assert named == set(services[name]["secrets"]) - {"development_ca"}


def test_the_auth_service_trusts_only_the_proxy(services: dict[str, Service]) -> None:
    trusted = tomllib.loads((ROOT / "deploy" / "compose" / "auth.toml").read_text())["trusted_proxies"]
    proxy = ip_address(services["proxy"]["networks"]["auth"]["ipv4_address"])
    assert [list(ip_network(network)) for network in trusted] == [[proxy]]


def test_the_proxy_uses_the_fixed_addresses_of_its_upstreams(services: dict[str, Service]) -> None:
    known = dict(entry.split(":") for entry in services["proxy"]["extra_hosts"])
    assert {name: services[name]["networks"][name.split("-")[0]]["ipv4_address"] for name in known} == known
    assert {f"server {name}:8000" for name in known} == {
        line.rstrip(";").partition(" max_fails")[0]
        for line in nginx_lines()
        if line.startswith("server ") and ":" in line
    }


def test_the_proxy_offers_tls_1_2_or_later_with_forward_secrecy_and_gcm() -> None:
    options = {line.split()[0]: line.rstrip(";").split()[1:] for line in nginx_lines() if line.startswith("ssl_")}
    assert options["ssl_protocols"] == ["TLSv1.2", "TLSv1.3"]
    for cipher in options["ssl_ciphers"][0].split(":"):
        assert cipher.startswith("ECDHE-")
        assert "-GCM-" in cipher


def test_the_image_has_no_secret_and_no_git_history() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {"requirements.lock", "pyproject.toml", "README.md", "shared", "auth_service", "resource_service"}


def nginx_lines() -> list[str]:
    """The directives of the proxy's configuration and of the files that it includes."""
    folder = ROOT / "deploy" / "compose"
    lines = [line.strip() for line in (folder / "nginx.conf").read_text().splitlines()]
    assert "include tls_front.conf;" in lines
    return lines + [line.strip() for line in (folder / "tls_front.conf").read_text().splitlines()]
