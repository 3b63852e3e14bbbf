"""Verify access tokens offline, with keys and status lists that are kept fresh in the background.

    verifier = Verifier(issuer="https://id.example.com", audience="https://api.example.com")
    claims = verifier.verify(token)

`Verifier` is for threads, and `AsyncVerifier` for event loops. Both make the same checks and raise the same errors.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self, Unpack

from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import InvalidToken
from tallystick.refusal_warnings import RefusalWarnings
from tallystick.remote.follower import IssuerFollower
from tallystick.remote.health import IssuerHealth
from tallystick.remote.options import VerifierOptions, remote_issuer, status_policy_of
from tallystick.token_decision import TokenDecision
from tallystick.urls import check_audience, check_identifier


class _Verifier:
    """The part of both verifiers that does not wait."""

    def __init__(
        self, issuer: str, audience: str, *, clock: Clock = system_clock, **options: Unpack[VerifierOptions]
    ) -> None:
        """`issuer` and `audience` are compared byte for byte. `options`: see VerifierOptions. `clock` is for tests.

        Nothing is fetched before the first verification. Raises ValueError for a missing issuer, a URL that is
        neither https nor on loopback, an invalid audience, and an invalid number of seconds.
        """
        _check("issuer", issuer, check_identifier)
        _check("audience", audience, check_audience)
        follower = IssuerFollower(lambda: remote_issuer(issuer, clock=clock, **options))
        self._decision = TokenDecision(follower, audience, status_policy_of(**options), clock)

    @classmethod
    def of(cls, decision: TokenDecision) -> Self:
        """A verifier that shares keys, status lists and cached verdicts with others."""
        verifier = cls.__new__(cls)
        verifier._decision = decision
        return verifier

    @property
    def issuer(self) -> str:
        return self._decision.checker.issuer

    @property
    def audience(self) -> str:
        return self._decision.checker.audience

    @property
    def refusal_warnings(self) -> RefusalWarnings:
        """The log of refusals, also for adapters, which refuse for other reasons such as a missing scope."""
        return self._decision.refusal_warnings

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires.

        Does not wait. The first call starts to fetch, so that a readiness check need not send a token.
        """
        self._decision.follower.wake()
        return self._decision.is_ready

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment. Does not wait."""
        return self._decision.health()


def _check(name: str, value: object, check: Callable[[str], str]) -> None:
    """Raises ValueError with one sentence that names the parameter. A missing environment variable gives None or ""."""
    if not value:
        raise ValueError(f"{name} is missing")
    if not isinstance(value, str):
        raise ValueError(f"{name} is text, not {type(value).__name__}")
    try:
        check(value)
    except ValueError as reason:
        raise ValueError(f"{name}: {reason}") from None


class Verifier(_Verifier):
    """Checks access tokens of one issuer for one audience. Its methods may be called from any thread.

    The first verification starts a daemon thread that fetches the issuer's keys and status lists every two seconds. A
    forked process starts its own. A verification waits only before the first keys, for an unknown key or status list,
    and when that thread has made no progress for four seconds, for example because the process was suspended.
    """

    def verify(self, token: str) -> AccessTokenClaims:
        """The claims of `token`, a compact JWS from the Authorization header, without the scheme.

        Raises InvalidToken, with the same description for every reason. Raises TemporarilyUnavailable, whose
        `retry_after` is seconds, while the issuer's keys, or with `fail_closed` the token's status, are unknown. The
        reason of an InvalidToken is logged, at most once a minute for each reason.

        A revocation, or the withdrawal of a key, takes effect within five seconds while the issuer can be reached.
        RFC 9068 §4, RFC 8725 §3, Token Status List §8.3.
        """
        decision = self._decision
        if not decision.follower.is_fresh and not decision.follower.refresh():
            decision.require_fresh()
        try:
            answer = decision.decide(token)
            while not isinstance(answer, AccessTokenClaims):
                if not decision.follower.look_up(answer.look_up):
                    decision.require_answer(answer)
                answer = decision.decide(token, answer)
        except InvalidToken as refused:
            decision.log(token, refused)
            raise
        return answer

    def as_async(self) -> "AsyncVerifier":
        """The same verifier for event loops. Both share the thread, the documents and the cached verdicts."""
        return AsyncVerifier.of(self._decision)

    def close(self) -> None:
        """Stop the thread. A later verification starts another one."""
        self._decision.follower.close()

    def __enter__(self) -> Self:
        self._decision.follower.wake()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncVerifier(_Verifier):
    """Checks access tokens of one issuer for one audience, on any event loop and on several ones.

    Used as `async with AsyncVerifier(...)`, it fetches on the running event loop, which is meant for the lifespan of a
    server. Otherwise it fetches in a daemon thread as `Verifier` does, because an event loop that runs only for
    one call, as with `asyncio.run`, would fetch nothing between the calls.
    """

    async def verify(self, token: str) -> AccessTokenClaims:
        """As `Verifier.verify`, without blocking the event loop."""
        decision = self._decision
        if not decision.follower.is_fresh and not await decision.follower.refresh_async():
            decision.require_fresh()
        try:
            answer = decision.decide(token)
            while not isinstance(answer, AccessTokenClaims):
                if not await decision.follower.look_up_async(answer.look_up):
                    decision.require_answer(answer)
                answer = decision.decide(token, answer)
        except InvalidToken as refused:
            decision.log(token, refused)
            raise
        return answer

    async def aclose(self) -> None:
        """Stop fetching. A later verification starts again."""
        await self._decision.follower.aclose()

    async def __aenter__(self) -> Self:
        self._decision.follower.start_here()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
