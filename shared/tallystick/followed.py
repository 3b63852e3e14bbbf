"""How well an API follows its issuer, for whoever watches it: plain figures, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick.issuer import RemoteIssuer
from tallystick.status_check import StatusCheck


@dataclass(frozen=True)
class Followed:
    """`keys_age`: seconds since the issuer last told its keys; None when it never did in this process.

    `list_ages`: by address, seconds since the list we hold was signed; None for one we never had.
    `failed_fetches`: how many failed since the start, by kind: `jwks`, `status_list`, `status_list_aggregation`.
    `refused_by_status`: how many requests came with a token that was revoked.
    `is_failing_closed`: whether tokens are turned away now, because nobody can tell whether they were revoked.
    """

    keys_age: int | None
    list_ages: Mapping[str, int | None]
    failed_fetches: Mapping[str, int]
    refused_by_status: int
    is_failing_closed: bool

    @classmethod
    def of(cls, issuer: RemoteIssuer, statuses: StatusCheck, *, now: int) -> "Followed":
        keys = issuer.key_set.fetching
        return cls(
            keys_age=None if keys.succeeded_at is None else max(0, now - keys.succeeded_at),
            list_ages={
                followed.uri: None if followed.held is None else followed.held.age(now)
                for followed in issuer.status_lists
            },
            failed_fetches={
                "jwks": keys.failures,
                "status_list": issuer.status_lists.failures,
                "status_list_aggregation": issuer.status_lists.discovering.failures,
            },
            refused_by_status=statuses.refused,
            is_failing_closed=statuses.is_failing_closed,
        )
