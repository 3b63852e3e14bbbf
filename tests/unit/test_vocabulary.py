"""The names in `vocabulary` agree with the tables that give them a meaning."""

from auth_service.grants import GRANTS
from auth_service.vocabulary.algorithms import ASSERTION_ALGS, SIGNING_ALGS
from auth_service.vocabulary.grant_types import GRANT_TYPES, SELF_REGISTERED_GRANT_TYPES
from tallystick.jwt import CLIENT_ASSERTION, ID_TOKEN


def test_each_grant_type_has_a_function() -> None:
    assert tuple(GRANTS) == GRANT_TYPES
    assert set(SELF_REGISTERED_GRANT_TYPES) < set(GRANT_TYPES)


def test_the_algorithms_are_those_that_the_library_verifies() -> None:
    assert set(ASSERTION_ALGS) == CLIENT_ASSERTION.algorithms
    assert set(SIGNING_ALGS) == ID_TOKEN.algorithms
