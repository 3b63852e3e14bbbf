"""The cache of client keys: callers cannot evict the keys of proven and of declared clients."""

from collections.abc import Callable
from typing import Any

import pytest

from auth_service.authentication.clients.key_cache import MAX_CLIENTS, KeyCache
from auth_service.outgoing.domains import domain_of
from auth_service.store.clients.clients import REGISTRATION, Client
from tests.support.asserting_client import jwk_of, new_key

JWKS = {"keys": [jwk_of(new_key("ES256"))]}


def client(name: str, **values: Any) -> Client:
    """A client with only the fields that the cache reads."""
    return Client.model_construct(client_id=name, **values)


def declared(name: str) -> Client:
    return client(name, origin="file", jwks_uri="https://client.example.org/keys")


def registered(name: str) -> Client:
    return client(name, origin=REGISTRATION, jwks=JWKS)


@pytest.mark.parametrize("is_proven", [False, True])
def test_self_registered_clients_evict_no_keys_of_a_declared_client(is_proven: bool) -> None:
    cache = KeyCache()
    known = cache.entry(declared("app"))
    for number in range(MAX_CLIENTS + 5):
        cache.entry(registered(f"other-{number}"))
        if is_proven:
            cache.mark_proven(registered(f"other-{number}"))
    assert cache.entry(declared("app")) is known


@pytest.mark.parametrize("kind", [declared, registered])
def test_unproven_clients_evict_no_keys_of_a_proven_client(kind: Callable[[str], Client]) -> None:
    cache = KeyCache()
    known = cache.entry(kind("app"))
    cache.mark_proven(kind("app"))
    for number in range(MAX_CLIENTS + 5):
        cache.entry(kind(f"other-{number}"))
    assert cache.entry(kind("app")) is known


def test_changed_metadata_gives_a_new_unproven_entry() -> None:
    cache = KeyCache()
    known = cache.entry(registered("app"))
    cache.mark_proven(registered("app"))
    changed = cache.entry(registered("app").model_copy(update={"jwks": None, "jwks_uri": "https://other.example/keys"}))
    assert changed is not known
    assert not changed.is_proven


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.Example.org.", "example.org"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("", ""),
    ],
)
def test_domain_is_the_last_two_labels_or_an_address(host: str, domain: str) -> None:
    assert domain_of(host) == domain
