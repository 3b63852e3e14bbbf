"""The metrics of the auth service, in addition to those that both services have."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from auth_service.vocabulary.algorithms import SIGNING_ALGS
from auth_service.vocabulary.grant_types import GRANT_TYPES
from tallystick.clock import Clock
from tallystick.errors import OAuthError
from tallystick_service.metrics import SharedCounters
from tallystick_service.metrics.metrics import OTHER
from tallystick_service.metrics.service import ServiceMetrics

LOGIN_OUTCOMES = ("signed_in", "refused", "throttled", "unavailable")
REVOCATION_CAUSES = (
    *("revocation_request", "logout", "registration_deleted"),
    *("replayed_code", "replayed_refresh_token"),
)
CLIENT_KINDS = ("public", "confidential")
LOGOUT_TOKEN_OUTCOMES = ("taken", "refused", "failed", "given_up")


@dataclass(frozen=True)
class StatusListFacts:
    """The published status list: when it was signed (Unix seconds), its bytes on the wire, and its bits."""

    issued_at: int
    compressed_bytes: int
    bits: int
    set_bits: int


class AuthMetrics(ServiceMetrics):
    def __init__(self, counters: SharedCounters | None, *, version: str, endpoints: Iterable[str]) -> None:
        endpoints = tuple(endpoints)
        super().__init__(counters, service="auth_service", version=version, endpoints=endpoints)
        counter, gauge = self.metrics.counter, self.metrics.gauge
        self.tokens_issued = counter(
            "tallystick_tokens_issued_total", "Successful answers of /token.", grant_type=GRANT_TYPES
        )
        self.refusals = counter(
            "tallystick_refusals_total",
            "Requests refused with an OAuth error, whether as JSON or as a page.",
            is_sparse=True,
            endpoint=[*endpoints, OTHER],
            error=sorted({"none", OTHER, *_errors(OAuthError)}),
        )
        self.logins = counter(
            "tallystick_logins_total", "Logins with a password, by their outcome.", outcome=LOGIN_OUTCOMES
        )
        self.revocations = counter(
            "tallystick_revocations_total",
            "Revocations that a request caused, by their cause. Those of commands are not counted.",
            cause=REVOCATION_CAUSES,
        )
        self.refresh_token_repeats = counter(
            "tallystick_refresh_token_repeats_total",
            "Second uses of a refresh token within the grace period, by kind of client and outcome.",
            client=CLIENT_KINDS,
            outcome=("answered", "refused"),
        )
        self._key_age = gauge(
            "tallystick_signing_key_age_seconds",
            "Age of the current signing key, since it began to sign.",
            merged="min",  # a process that has not read the keys lately reports an older one
            alg=SIGNING_ALGS,
        )
        self.logout_tokens = counter(
            "tallystick_logout_tokens_total",
            "Attempts to deliver a logout token: taken by the client, refused for good, or failed and to be repeated;"
            " and deliveries that were given up after a day.",
            outcome=LOGOUT_TOKEN_OUTCOMES,
        )
        self.logout_tokens_waiting = gauge(
            "tallystick_logout_tokens_waiting",
            "Logout tokens to be delivered, as last read from the store. 10001 means more than 10000.",
            merged="max",
        )
        self._list_age = gauge(
            "tallystick_status_list_age_seconds", "Age of the published status list, since it was signed.", merged="max"
        )
        self._list_bytes = gauge(
            "tallystick_status_list_bytes", "Bytes of the published status list on the wire.", merged="max"
        )
        self._list_bits = gauge("tallystick_status_list_bits", "Bits in the published status list.", merged="max")
        self._list_set_bits = gauge(
            "tallystick_status_list_set_bits", "Bits that are set: revoked and not yet expired.", merged="max"
        )

    def watch_signing_keys(self, signing_since: Callable[[], Mapping[str, int]], clock: Clock) -> None:
        """`signing_since` returns, without I/O, the Unix time from which the key of each algorithm signs."""

        def collect() -> None:
            since = signing_since()
            for alg in SIGNING_ALGS:
                self._key_age.set(clock() - since[alg] if alg in since else None, alg)

        self.metrics.add_collector(collect)

    def watch_status_list(self, facts: Callable[[], StatusListFacts | None], clock: Clock) -> None:
        """`facts` returns, without I/O, the facts of the published list; None while there is none."""

        def collect() -> None:
            published = facts()
            if published is not None:
                self._list_age.set(clock() - published.issued_at)
                self._list_bytes.set(published.compressed_bytes)
                self._list_bits.set(published.bits)
                self._list_set_bits.set(published.set_bits)

        self.metrics.add_collector(collect)


def _errors(parent: type[OAuthError]) -> Iterator[str]:
    for child in parent.__subclasses__():
        if child.error:
            yield child.error
        yield from _errors(child)
