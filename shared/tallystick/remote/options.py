"""The options of every verifier: where the issuer's documents come from, and what an unknown status means."""

from pathlib import Path
from typing import Literal, TypedDict, Unpack, get_args

import httpx

from tallystick.clock import Clock
from tallystick.remote.internal_url import internal_address, published
from tallystick.remote.issuer import FOLLOW_INTERVAL, RemoteIssuer
from tallystick.remote.status_file import StatusFile
from tallystick.token_checker import StatusPolicy
from tallystick.urls import check_identifier

StatusPolicyName = Literal["serve_until_exp", "fail_closed"]

STATUS_MAX_AGE = 60
"""Seconds. Allows for clocks that differ by half a minute, and for a list that is signed every ten seconds."""


class VerifierOptions(TypedDict, total=False):
    """Keyword arguments of `Verifier`, `AsyncVerifier` and every adapter.

    `internal_url`: an origin, such as `http://auth:8000`, from which the issuer's metadata, keys and status lists are
    fetched instead of from the issuer's own origin. `iss` and the metadata's `issuer` stay the public URL.
    `allow_insecure_internal_url`: accept plain http there, also off loopback.
    `jwks_uri`: where the keys are; found through the issuer's metadata by default.
    `jwks_file`: the keys until the first fetch; rewritten when they change.
    `follow_every`: seconds between two fetches of the keys and status lists, at most 2.
    `status_policy`: `serve_until_exp` (the default) accepts a token whose status is unknown until its `exp`;
    `fail_closed` answers 503 once its status list was signed more than `status_max_age` seconds ago.
    `status_file`: the status lists until the first fetch; rewritten when their statuses change.
    `transport`: replaces the network, for tests.
    """

    internal_url: str | None
    allow_insecure_internal_url: bool
    jwks_uri: str | None
    jwks_file: Path | None
    follow_every: float
    status_policy: StatusPolicyName
    status_max_age: int
    status_file: Path | None
    transport: httpx.AsyncBaseTransport | None


def status_policy_of(**options: Unpack[VerifierOptions]) -> StatusPolicy:
    """The policy that the options name. Raises ValueError for an unknown name or an invalid number."""
    name = options.get("status_policy", "serve_until_exp")
    if name not in get_args(StatusPolicyName):
        raise ValueError(f"status_policy is serve_until_exp or fail_closed, not {name!r}")
    return StatusPolicy(options.get("status_max_age", STATUS_MAX_AGE) if name == "fail_closed" else None)


def remote_issuer(issuer: str, *, clock: Clock, **options: Unpack[VerifierOptions]) -> RemoteIssuer:
    """The issuer that the options describe. Nothing is fetched yet.

    Raises ValueError for an invalid URL or number, TypeError for an unknown option.
    """
    if unknown := options.keys() - VerifierOptions.__annotations__.keys():
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    follow_every = options.get("follow_every", FOLLOW_INTERVAL)
    if not 0 < follow_every <= FOLLOW_INTERVAL:
        raise ValueError(
            f"follow_every is a number of seconds, above 0 and at most {FOLLOW_INTERVAL:.0f}: "
            "a revocation must arrive within five"
        )
    policy = status_policy_of(**options)
    status_file = options.get("status_file")
    max_lag = None if policy.max_age is None else policy.max_age // 2
    internal_url = options.get("internal_url")
    is_insecure_allowed = options.get("allow_insecure_internal_url", False)
    check_identifier(issuer)
    return RemoteIssuer(
        issuer,
        jwks_uri=options.get("jwks_uri"),
        jwks_file=options.get("jwks_file"),
        status_file=None if status_file is None else StatusFile(status_file, max_lag=max_lag),
        follow_every=follow_every,
        clock=clock,
        transport=options.get("transport"),
        address=(
            published
            if internal_url is None
            else internal_address(issuer, internal_url, allow_insecure=is_insecure_allowed)
        ),
    )
