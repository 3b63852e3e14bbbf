"""`TokenChecker.check` is a function of its arguments, and may be called from any thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.jwk import parse_jwk_set
from tallystick.jwt import UnknownKey
from tallystick.status_list import parse_status_list
from tallystick.token_checker import KeySet, Statuses, StatusPolicy, TokenChecker
from tests.support.token_issuer import AUDIENCE, ISSUER, STATUS_LIST_URI, TokenIssuer, status


@pytest.fixture
def keys(issuer: TokenIssuer) -> KeySet:
    return KeySet(parse_jwk_set(issuer.document))


@pytest.fixture
def statuses(issuer: TokenIssuer) -> Statuses:
    """A list in which index 9 is revoked."""
    published = issuer.publish_list()
    published.revoke(9)
    key, now = issuer.key.public, issuer.clock.now
    return Statuses({STATUS_LIST_URI: parse_status_list(published.token, uri=STATUS_LIST_URI, key=key, now=now)})


def test_good_token_is_accepted_without_an_event_loop(issuer: TokenIssuer, keys: KeySet, statuses: Statuses) -> None:
    verifier = TokenChecker(ISSUER, AUDIENCE)
    claims = verifier.check(issuer.access_token(status=status(1)), keys, statuses, issuer.clock.now)
    assert claims.sub == "user-1"


def test_revoked_token_is_refused_also_from_the_cache(issuer: TokenIssuer, keys: KeySet, statuses: Statuses) -> None:
    verifier, token, now = TokenChecker(ISSUER, AUDIENCE), issuer.access_token(status=status(9)), issuer.clock.now
    assert verifier.check(token, keys, Statuses(), now)
    for _ in range(2):
        with pytest.raises(InvalidToken) as refused:
            verifier.check(token, keys, statuses, now)
        assert refused.value.reason == "revoked"


def test_missing_list_is_decided_by_the_policy(issuer: TokenIssuer, keys: KeySet) -> None:
    token, now = issuer.access_token(status=status(1)), issuer.clock.now
    assert TokenChecker(ISSUER, AUDIENCE).check(token, keys, Statuses(), now)
    with pytest.raises(TemporarilyUnavailable):
        TokenChecker(ISSUER, AUDIENCE, status_policy=StatusPolicy(max_age=30)).check(token, keys, Statuses(), now)


def test_unknown_and_missing_keys_name_the_kid(issuer: TokenIssuer, keys: KeySet) -> None:
    verifier, now = TokenChecker(ISSUER, AUDIENCE), issuer.clock.now
    with pytest.raises(TemporarilyUnavailable):
        verifier.check(issuer.access_token(), None, Statuses(), now)
    issuer.rotate()
    with pytest.raises(UnknownKey) as unknown:
        verifier.check(issuer.access_token(), keys, Statuses(), now)
    assert unknown.value.kid == issuer.key.kid


def test_cached_verdict_holds_only_for_its_key_set(issuer: TokenIssuer, keys: KeySet) -> None:
    verifier, token, now = TokenChecker(ISSUER, AUDIENCE), issuer.access_token(), issuer.clock.now
    assert verifier.check(token, keys, Statuses(), now) is verifier.check(token, keys, Statuses(), now)
    with pytest.raises(UnknownKey):
        verifier.check(token, KeySet({}), Statuses(), now)
    assert verifier.check(token, keys, Statuses(), now)


def test_threads_with_different_key_sets_share_a_verifier(issuer: TokenIssuer, keys: KeySet) -> None:
    verifier, now = TokenChecker(ISSUER, AUDIENCE), issuer.clock.now
    tokens = [issuer.access_token(jti=str(number)) for number in range(20)]

    def is_accepted(job: tuple[str, KeySet]) -> bool:
        token, key_set = job
        try:
            verifier.check(token, key_set, Statuses(), now)
        except UnknownKey:
            return False
        return True

    withdrawn = KeySet({})
    jobs = [(token, key_set) for token in tokens for key_set in (keys, withdrawn)] * 5
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(is_accepted, jobs)) == [True, False] * 100
