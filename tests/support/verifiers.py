"""A verifier whose fetches a test controls."""

from tallystick.clock import Clock, elapsed
from tallystick.remote.follower import IssuerFollower
from tallystick.remote.issuer import RemoteIssuer
from tallystick.token_checker import StatusPolicy
from tallystick.token_decision import TokenDecision
from tallystick.verifier import AsyncVerifier
from tests.support.token_issuer import AUDIENCE


def verifier_of(
    remote: RemoteIssuer, clock: Clock, *, audience: str = AUDIENCE, policy: StatusPolicy | None = None
) -> AsyncVerifier:
    """A verifier that follows `remote` on the running event loop, and does not wait for the first round."""
    remote.checked_at = elapsed()
    follower = IssuerFollower(lambda: remote)
    follower.start_here()
    return AsyncVerifier.of(TokenDecision(follower, audience, policy or StatusPolicy(), clock))
