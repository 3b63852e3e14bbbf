"""Decide about an access token with the documents that are held, and name the document that is missing. No waiting."""

import logging
from dataclasses import dataclass

from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.jwt import UnknownKey
from tallystick.refusal_warnings import RefusalWarnings
from tallystick.remote.follower import IssuerFollower
from tallystick.remote.health import IssuerHealth
from tallystick.remote.issuer import RemoteIssuer
from tallystick.status_list import StatusReference
from tallystick.token_checker import KeysUnavailable, StatusPolicy, TokenChecker

log = logging.getLogger("tallystick.verifier")


@dataclass(frozen=True)
class MissingKey:
    """The token names a key that is not held."""

    kid: str

    async def look_up(self, issuer: RemoteIssuer) -> None:
        """Wait for a fetch. Raises TemporarilyUnavailable."""
        await issuer.key_set.look_up(self.kid)


@dataclass(frozen=True)
class MissingStatus:
    """No recent list says that the token is valid."""

    reference: StatusReference

    async def look_up(self, issuer: RemoteIssuer) -> None:
        """Wait for a fetch. Raises InvalidToken for a list that is not the issuer's."""
        await issuer.status_lists.look_up(self.reference)


Missing = MissingKey | MissingStatus


class TokenDecision:
    """One API's decisions. A synchronous and an asynchronous verifier may share this object."""

    def __init__(self, follower: IssuerFollower, audience: str, status_policy: StatusPolicy, clock: Clock) -> None:
        self.follower = follower
        self.checker = TokenChecker(follower.issuer.identifier, audience, status_policy=status_policy)
        self.refusal_warnings = RefusalWarnings()
        self._clock = clock
        self._revoked = 0

    def decide(self, token: str, looked_up: Missing | None = None) -> AccessTokenClaims | Missing:
        """The claims of an accepted token, or the document that must be looked up before the next call.

        `looked_up` is the result of the last call. Raises as `TokenChecker.check` does.
        """
        issuer, now = self.follower.issuer, self._clock()
        try:
            claims, status, _ = self.checker.check_claims(token, issuer.keys, now)
        except (UnknownKey, KeysUnavailable) as unknown:
            if looked_up is not None:
                raise
            return MissingKey(unknown.kid)
        if status is None or self.checker.is_valid(status, issuer.statuses, now):
            return claims
        if isinstance(looked_up, MissingStatus):
            return self.checker.check(token, issuer.keys, issuer.statuses, now)
        return MissingStatus(status)

    def require_answer(self, missing: Missing) -> None:
        """Called when a look-up did not end. Raises TemporarilyUnavailable unless the status policy decides."""
        if isinstance(missing, MissingKey):
            raise TemporarilyUnavailable("the keys of the issuer cannot be looked up for now")

    def require_fresh(self) -> None:
        """Called when the documents could not be refreshed. Raises TemporarilyUnavailable with fail_closed."""
        if self.checker.status_policy.max_age is not None:
            raise TemporarilyUnavailable("whether the token was revoked cannot be known for now")

    def log(self, token: str, refused: InvalidToken) -> None:
        """Log and count a refusal."""
        log.debug("refused an access token: %s", refused.__cause__)
        self._revoked += refused.reason == "revoked"
        self.refusal_warnings.explain(token, refused.reason, issuer=self.checker.issuer, audience=self.checker.audience)

    @property
    def is_failing_closed(self) -> bool:
        """Whether tokens with a status are refused now, because their status is unknown."""
        policy, issuer = self.checker.status_policy, self.follower.issuer
        if policy.max_age is None:
            return False
        now, lists = self._clock(), list(issuer.status_lists)
        if not lists:
            return issuer.status_lists.names.fetched_at is None  # the issuer may have lists
        return any(each.held is None or not policy.is_recent(each.held, now) for each in lists if not each.is_gone)

    @property
    def is_ready(self) -> bool:
        return bool(self.follower.issuer.keys) and not self.is_failing_closed

    def health(self) -> IssuerHealth:
        return IssuerHealth.of(
            self.follower.issuer,
            refused_by_status=self._revoked,
            is_failing_closed=self.is_failing_closed,
            now=self._clock(),
        )
