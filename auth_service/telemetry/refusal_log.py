"""One log line for each refused request, with the exact reason. A limit bounds the lines that callers can cause."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Scope

from auth_service.limits.buckets import network_of, site_of
from auth_service.telemetry.metrics import AuthMetrics
from tallystick.errors import OAuthError
from tallystick.refusal_reasons import REASONS
from tallystick_service.asgi.request_facts import request_facts

logger = logging.getLogger("tallystick.refusals")

Monotonic = Callable[[], float]


class LineLimit:
    """A limit on the log lines that callers can cause, in one process.

    An address (IPv4, or IPv6 /48) gets `BURST` lines, then `RATE` a second; all addresses together `TOTAL_BURST`, then
    `TOTAL_RATE` a second. So one address cannot hide the refusals of another, and the sum of all lines is bounded.
    """

    BURST, RATE = 60, 1.0
    TOTAL_BURST, TOTAL_RATE = 600, 10.0
    MAX_SITES = 4096
    """Addresses remembered. The least recently refused is forgotten first, and starts with a full burst again."""

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._total_empty_at = 0.0

    def allows(self, site: str) -> bool:
        """Whether one more line may be written; it is counted if so."""
        now = self._clock()
        total = max(self._total_empty_at, now)
        own = max(self._empty_at.get(site, 0.0), now)
        if total - now > (self.TOTAL_BURST - 1) / self.TOTAL_RATE or own - now > (self.BURST - 1) / self.RATE:
            return False
        self._total_empty_at = total + 1 / self.TOTAL_RATE
        self._empty_at[site] = own + 1 / self.RATE
        self._empty_at.move_to_end(site)
        if len(self._empty_at) > self.MAX_SITES:
            self._empty_at.popitem(last=False)
        return True


class RefusalLog:
    """Writes the lines of one process. Lines over the limit are counted, and their number is logged once a minute."""

    REPORT_INTERVAL = 60.0

    def __init__(self, metrics: AuthMetrics, clock: Monotonic = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._limit = LineLimit(clock)
        self._suppressed = 0
        self._report_at = 0.0

    def write(self, scope: Scope, refusal: OAuthError, *, status: int) -> None:
        """`status` is that of the response: 303 if the refusal is sent to the client by a redirect.

        The line contains fixed words, the client_ids of registered clients, and a refused address without its query. It
        contains no other text of the caller.
        """
        now = self._clock()
        if self._suppressed and now >= self._report_at:
            logger.info("refusals left out of the log", extra={"fields": {"count": self._suppressed}})
            self._suppressed, self._report_at = 0, now + self.REPORT_INTERVAL
        client = scope.get("client")
        if not self._limit.allows(_site(client[0] if client else "")):
            if not self._suppressed:
                self._report_at = max(self._report_at, now + self.REPORT_INTERVAL)
            self._suppressed += 1
            return
        facts = request_facts.get()
        fields: dict[str, object] = {
            "endpoint": self._metrics.requests.endpoint(scope),
            "status": status,
            "error": refusal.error or None,
            "reason": refusal.reason if refusal.reason in REASONS else "unspecified",
        }
        if facts is not None:
            fields |= {
                "client_id": facts.client_id,
                "auth_method": facts.auth_method,
                "registered_auth_method": facts.registered_auth_method,
                "refused_address": facts.refused_address,
            }
        logger.info("refused", extra={"fields": {name: value for name, value in fields.items() if value is not None}})


def log_refusal(refusal: OAuthError, *, status: int) -> None:
    """Log a refusal that is sent by a redirect, which no exception handler sees. Only within a request."""
    facts = request_facts.get()
    if facts is not None:
        log: RefusalLog = facts.scope["app"].state.refusal_log
        log.write(facts.scope, refusal, status=status)


def _site(address: str) -> str:
    network = network_of(address)
    return site_of(address) if ":" in network else network
