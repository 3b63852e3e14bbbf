"""How well an API follows its issuer, for whoever watches it: plain figures, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.status_lists import StatusLists
from tallystick.status_check import StatusCheck


@dataclass(frozen=True)
class Followed:
    """`keys_age`: seconds since the issuer last told its keys; while it never did, since this process began.

    `list_ages`: by address, seconds since the list we hold was signed; None for one we never had.
    `status_age`: the same for all of them, for an alarm: that of the oldest, where one we never had is as old as our
    wish for it. None when the issuer says that it has none.
    `failed_fetches`: how many failed since the start, by kind: `jwks`, `status_list`, `status_list_aggregation`.
    `refused_by_status`: how many requests came with a token that was revoked.
    `is_failing_closed`: whether tokens are turned away now, because nobody can tell whether they were revoked.
    """

    keys_age: int
    list_ages: Mapping[str, int | None]
    status_age: int | None
    failed_fetches: Mapping[str, int]
    refused_by_status: int
    is_failing_closed: bool

    @classmethod
    def of(cls, issuer: RemoteIssuer, statuses: StatusCheck, *, now: int) -> "Followed":
        keys, lists = issuer.key_set.fetching, issuer.status_lists
        return cls(
            keys_age=keys.silence(now),
            list_ages={each.uri: None if each.held is None else each.held.age(now) for each in lists},
            status_age=_status_age(lists, now),
            failed_fetches={
                "jwks": keys.failures,
                "status_list": lists.failures,
                "status_list_aggregation": lists.discovering.failures,
            },
            refused_by_status=statuses.refused,
            is_failing_closed=statuses.is_failing_closed,
        )


def _status_age(lists: StatusLists, now: int) -> int | None:
    ages = [each.fetching.silence(now) if each.held is None else each.held.age(now) for each in lists]
    if not ages and lists.discovering.succeeded_at is None:
        return lists.discovering.silence(now)  # there may be some
    return max(ages, default=None)
