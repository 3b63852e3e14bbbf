"""Verify access tokens of an issuer whose keys and status lists are fetched in the background."""

import logging

from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import InvalidToken
from tallystick.jwt import UnknownKey
from tallystick.refusal_warnings import RefusalWarnings
from tallystick.remote.health import IssuerHealth
from tallystick.remote.issuer import RemoteIssuer
from tallystick.verifier import KeysUnavailable, StatusPolicy, Verifier

log = logging.getLogger("tallystick.verifier")


class RemoteVerifier:
    """Checks access tokens with a `Verifier`, and waits for a fetch where only that can decide.

    All methods are called on the event loop of `issuer`.
    """

    def __init__(
        self,
        issuer: RemoteIssuer,
        audience: str,
        *,
        status_policy: StatusPolicy | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """`audience` is compared byte for byte. `status_policy` is serve_until_exp by default."""
        self.refusal_warnings = RefusalWarnings()
        """Also for adapters, which refuse for reasons of their own, such as a missing scope."""
        self._issuer = issuer
        self._verifier = Verifier(issuer.identifier, audience, status_policy=status_policy)
        self._clock = clock
        self._revoked = 0

    async def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a compact JWS from the Authorization header, without the scheme. `issuer` was started.

        Raises as `Verifier.check` does. The reason of an InvalidToken is logged, at most once a minute for each
        reason. Raises RuntimeError when `issuer` was never started, because revocations would not arrive.
        """
        issuer, verifier = self._issuer, self._verifier
        if not issuer.was_started:
            raise RuntimeError("RemoteIssuer.start was not called, so no keys and status lists are fetched")
        try:
            now = self._clock()
            try:
                claims, status, _ = verifier.check_claims(token, issuer.keys, now)
            except (UnknownKey, KeysUnavailable) as unknown:
                await issuer.key_set.look_up(unknown.kid)
                now = self._clock()
                claims, status, _ = verifier.check_claims(token, issuer.keys, now)
            if status is None or verifier.is_valid(status, issuer.statuses, now):
                return claims
            await issuer.status_lists.look_up(status)
            # Keys, lists and time may have changed meanwhile.
            return verifier.check(token, issuer.keys, issuer.statuses, self._clock())
        except InvalidToken as refused:
            log.debug("refused an access token: %s", refused.__cause__)
            self._revoked += refused.reason == "revoked"
            self.refusal_warnings.explain(token, refused.reason, issuer=issuer.identifier, audience=verifier.audience)
            raise

    @property
    def is_failing_closed(self) -> bool:
        """Whether tokens with a status are refused now, because their status is unknown."""
        policy = self._verifier.status_policy
        if policy.max_age is None:
            return False
        now, lists = self._clock(), list(self._issuer.status_lists)
        if not lists:
            return self._issuer.status_lists.names.fetched_at is None  # the issuer may have lists
        return any(each.held is None or not policy.is_recent(each.held, now) for each in lists if not each.is_gone)

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires."""
        return bool(self._issuer.keys) and not self.is_failing_closed

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment."""
        return IssuerHealth.of(
            self._issuer,
            refused_by_status=self._revoked,
            is_failing_closed=self.is_failing_closed,
            now=self._clock(),
        )
