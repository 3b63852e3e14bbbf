"""The options of every adapter: where the issuer's documents come from, and what an unknown status means."""

from pathlib import Path
from typing import Literal, TypedDict, Unpack

import httpx

from tallystick.clock import Clock
from tallystick.remote.issuer import FOLLOW_INTERVAL, RemoteIssuer
from tallystick.remote.status_file import StatusFile
from tallystick.remote.verifier import RemoteVerifier
from tallystick.verifier import StatusPolicy

StatusPolicyName = Literal["serve_until_exp", "fail_closed"]

STATUS_MAX_AGE = 60
"""Seconds. Allows for clocks that differ by half a minute, and for a list that is signed every ten seconds."""


class RemoteOptions(TypedDict, total=False):
    """Keyword arguments of an adapter.

    `jwks_uri`: where the keys are; found through the issuer's metadata by default.
    `jwks_file`: the keys until the first fetch; rewritten when they change.
    `follow_every`: seconds between two fetches of the keys and status lists.
    `status_policy`: `serve_until_exp` (the default) accepts a token whose status is unknown until its `exp`;
    `fail_closed` answers 503 once its status list was signed more than `status_max_age` seconds ago.
    `status_file`: the status lists until the first fetch; rewritten when their statuses change.
    `transport`: replaces the network, for tests.
    """

    jwks_uri: str | None
    jwks_file: Path | None
    follow_every: float
    status_policy: StatusPolicyName
    status_max_age: int
    status_file: Path | None
    transport: httpx.AsyncBaseTransport | None


def remote_verifier(
    issuer: str, audience: str, *, clock: Clock, **options: Unpack[RemoteOptions]
) -> tuple[RemoteIssuer, RemoteVerifier]:
    """The issuer, which is to be started, and its verifier. Raises ValueError for an invalid URL or number."""
    is_failing_closed = options.get("status_policy") == "fail_closed"
    policy = StatusPolicy(options.get("status_max_age", STATUS_MAX_AGE) if is_failing_closed else None)
    status_file = options.get("status_file")
    max_lag = None if policy.max_age is None else policy.max_age // 2
    remote = RemoteIssuer(
        issuer,
        jwks_uri=options.get("jwks_uri"),
        jwks_file=options.get("jwks_file"),
        status_file=None if status_file is None else StatusFile(status_file, max_lag=max_lag),
        follow_every=options.get("follow_every", FOLLOW_INTERVAL),
        clock=clock,
        transport=options.get("transport"),
    )
    return remote, RemoteVerifier(remote, audience, status_policy=policy, clock=clock)
