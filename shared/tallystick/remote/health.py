"""How recent an issuer's keys and status lists are, for metrics and alarms."""

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.status_lists import StatusLists


@dataclass(frozen=True)
class IssuerHealth:
    """`keys_age`: seconds since the last fetch of the keys; before the first one, since the start.

    `list_ages`: by URL, seconds since the held list was signed; None for a list that was never fetched.
    `status_age`: the age of the oldest list, for an alarm; a list that was never fetched counts from when it was first
    named. None when the issuer has no lists.
    `failed_fetches`: the number since the start, by `jwks`, `status_list` and `status_list_aggregation`.
    `refused_by_status`: how many requests came with a revoked token.
    `is_failing_closed`: whether tokens with a status are refused now, because their status is unknown.
    """

    keys_age: int
    list_ages: Mapping[str, int | None]
    status_age: int | None
    failed_fetches: Mapping[str, int]
    refused_by_status: int
    is_failing_closed: bool

    @classmethod
    def of(cls, issuer: RemoteIssuer, *, refused_by_status: int, is_failing_closed: bool, now: int) -> "IssuerHealth":
        keys, lists = issuer.key_set, issuer.status_lists
        return cls(
            keys_age=keys.age(now),
            list_ages={each.uri: None if each.held is None else each.held.age(now) for each in lists},
            status_age=_status_age(lists, now),
            failed_fetches={
                "jwks": keys.failures,
                "status_list": lists.failures,
                "status_list_aggregation": lists.names.failures,
            },
            refused_by_status=refused_by_status,
            is_failing_closed=is_failing_closed,
        )


def _status_age(lists: StatusLists, now: int) -> int | None:
    ages = [each.age(now) if each.held is None else each.held.age(now) for each in lists]
    if not ages and lists.names.fetched_at is None:
        return lists.names.age(now)  # the issuer may have lists
    return max(ages, default=None)
