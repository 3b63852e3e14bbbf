"""The relations between times on which the promises of docs/revocation.md and docs/keys.md rest."""

from auth_service.outgoing.name_lookups import LOOKUP_TIMEOUT
from auth_service.outgoing.requests import REQUEST_TIMEOUT
from auth_service.settings.settings import MAX_TOKEN_LIFETIME, Lifetimes
from auth_service.vocabulary.timing import (
    BLOCK_LEASE,
    BLOCK_LEASE_UNUSED,
    CLEAR_MARGIN,
    CLIENT_CACHE_SECONDS,
    FAMILY_CACHE_SECONDS,
    FORM_KEY_KEPT,
    FORM_LIFETIME,
    JWKS_MAX_AGE,
    KEEP_ENDED_SECONDS,
    KEY_CACHE_SECONDS,
    KEY_SEEN_SECONDS,
    LARGER_LIST_DELAY,
    LAST_SEEN_INTERVAL,
    LOGOUT_DELIVERY_LEASE,
    MAX_CLOCK_SKEW,
    MIN_SIGNING_KEY_AHEAD,
    REVOCATION_DEADLINE,
    STATUS_LIST_INTERVAL,
    STATUS_LIST_MAX_AGE,
    STATUS_LIST_POLL_INTERVAL,
    STATUS_LIST_POLL_JITTER,
    STATUS_LIST_RESIGN_INTERVAL,
    STATUS_LIST_TTL,
)
from tallystick.clock import LEEWAY
from tallystick.fastapi import STATUS_MAX_AGE
from tallystick.remote.issuer import FOLLOW_INTERVAL
from tallystick_service.store.store import DEADLINE

_LONGEST_POLL = STATUS_LIST_POLL_INTERVAL * (1 + STATUS_LIST_POLL_JITTER)


def test_a_revocation_reaches_an_api_within_the_deadline() -> None:
    """The next list may have to wait for its second; a cache may hold the old one; the API fetches at its interval."""
    assert STATUS_LIST_INTERVAL + _LONGEST_POLL + STATUS_LIST_MAX_AGE + FOLLOW_INTERVAL < REVOCATION_DEADLINE
    assert STATUS_LIST_TTL <= FOLLOW_INTERVAL  # a verifier that obeys `ttl` is not later than ours


def test_a_withdrawn_key_leaves_every_api_within_the_deadline() -> None:
    assert KEY_CACHE_SECONDS + JWKS_MAX_AGE + FOLLOW_INTERVAL < REVOCATION_DEADLINE


def test_every_api_has_a_key_before_it_signs() -> None:
    """A process of the issuer sees a new key, its JWKS may be cached, and the API fetches at its interval."""
    until_fetched = KEY_CACHE_SECONDS + JWKS_MAX_AGE + FOLLOW_INTERVAL
    assert until_fetched < KEY_SEEN_SECONDS < MIN_SIGNING_KEY_AHEAD <= Lifetimes().signing_key_ahead


def test_every_api_has_a_larger_list_before_its_new_indexes_are_used() -> None:
    assert STATUS_LIST_MAX_AGE + FOLLOW_INTERVAL < LARGER_LIST_DELAY


def test_a_bit_stays_set_until_no_token_with_it_is_valid() -> None:
    """Another process may issue tokens for a revoked family while it is cached, by a clock that differs."""
    assert MAX_CLOCK_SKEW + max(FAMILY_CACHE_SECONDS, CLIENT_CACHE_SECONDS) + DEADLINE < CLEAR_MARGIN


def test_a_list_without_changes_stays_current_in_every_api() -> None:
    """An API with `fail_closed` refuses all tokens when its list is older than `status_max_age`."""
    oldest = STATUS_LIST_RESIGN_INTERVAL + _LONGEST_POLL + STATUS_LIST_MAX_AGE + FOLLOW_INTERVAL
    assert oldest < STATUS_MAX_AGE
    assert oldest < Lifetimes(access_token=1).status_list


def test_two_processes_never_hand_out_one_block_of_indexes() -> None:
    """The process that took a block stops using it before another one, with a clock that is ahead, may take it."""
    assert MAX_CLOCK_SKEW + DEADLINE < BLOCK_LEASE_UNUSED < BLOCK_LEASE


def test_a_family_outlives_its_tokens_whatever_lifetime_they_were_issued_with() -> None:
    """`prune_at` is computed with the lifetime of one process; another process may have an earlier configuration."""
    assert MAX_TOKEN_LIFETIME <= KEEP_ENDED_SECONDS


def test_a_logout_delivery_is_not_taken_by_two_processes() -> None:
    """The lease is longer than an attempt: a lookup, a request, and a write of its outcome."""
    assert LOOKUP_TIMEOUT + REQUEST_TIMEOUT + DEADLINE < LOGOUT_DELIVERY_LEASE


def test_a_login_session_in_use_does_not_become_idle() -> None:
    """Its `last_seen_at` may be older than its last activity by the interval at which that is written."""
    assert Lifetimes().login_session_idle / 10 > LAST_SEEN_INTERVAL


def test_a_form_key_is_kept_as_long_as_its_forms_are_accepted() -> None:
    assert FORM_LIFETIME + LEEWAY <= FORM_KEY_KEPT
