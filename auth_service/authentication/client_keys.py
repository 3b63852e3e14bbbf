"""The public keys of clients, from what they registered: their `jwks`, or what is at their `jwks_uri`."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from auth_service.client_jwks import is_costly
from auth_service.outgoing import Outgoing, OutgoingFailed
from auth_service.store.clients import Client
from tallystick.clock import Clock
from tallystick.jwk import PublicKey, usable_keys
from tallystick.strict_json import parse_object

FRESH = 300
"""Seconds for which fetched keys are taken as they are; older ones are still used, while they are fetched again."""
STALE = 900
"""Seconds after which they are not used before they have been fetched again, if they can be."""
COOLDOWN = 4
"""Seconds, by the clock, during which assertions that no key fits cannot make us ask a client a second time."""
MOST_STRANGERS_FETCHES = 4
"""At once for clients that registered themselves: they must not take all the places that logout tokens need, too."""
MOST_CLIENTS = 500
"""Whose keys are remembered; the least used go first."""
MOST_KEYS = 20
"""Of one client, and the first ones: no more than MOST_ENTRIES of its JWK Set are looked at."""
MOST_ENTRIES = 100
MOST_BYTES = 64 * 1024

Keys = tuple[PublicKey, ...]

_log = logging.getLogger(__name__)


@dataclass
class _Known:
    """What is known of one client's keys. Another `source` makes it worthless: the client has changed its metadata."""

    source: object
    keys: Keys = ()
    fetched_at: int | None = None
    asked_at: int | None = None
    fetching: asyncio.Task[None] | None = None
    is_away: bool = False


class ClientKeys:
    """One fetch at a time for each client; a fetch that fails changes nothing: the last good keys stay.

    A client's dead address is the client's trouble. It has no keys then, and the caller's answer is `invalid_client`.
    """

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._fetches: set[asyncio.Task[None]] = set()
        self._strangers_fetches = 0

    async def of(self, client: Client) -> Keys:
        """The keys of the client, which for a `jwks_uri` may be a few minutes old."""
        known = self._recall(client)
        age = self._age(known.fetched_at)
        if client.jwks_uri is not None and age >= FRESH and self._may_ask(client, known):
            self._begin(client, known)
        if known.fetching is not None and age >= STALE and not (known.keys and known.is_away):
            await asyncio.shield(known.fetching)  # one caller may give up without taking the others' fetch along
        return known.keys

    async def newer(self, client: Client) -> Keys | None:
        """The keys after the client had its chance to tell of others; None when it was asked a moment ago."""
        known = self._recall(client)
        if client.jwks_uri is None:
            return None
        if known.fetching is None:
            if not self._may_ask(client, known):
                return None
            self._begin(client, known)
        if known.fetching is not None:
            await asyncio.shield(known.fetching)
        return known.keys

    async def aclose(self) -> None:
        for fetch in self._fetches:
            fetch.cancel()
        await asyncio.gather(*self._fetches, return_exceptions=True)

    def _recall(self, client: Client) -> _Known:
        # Trust belongs to it, too: what was fetched for a client that the file declared is no stranger's to use.
        source = client.jwks, client.jwks_uri, client.is_declared
        known = self._known.get(client.client_id)
        if known is None or known.source != source:
            known = self._known[client.client_id] = _Known(source, _usable(client.jwks) if client.jwks else ())
        self._known.move_to_end(client.client_id)
        if len(self._known) > MOST_CLIENTS:
            self._known.popitem(last=False)
        return known

    def _age(self, since: int | None) -> float:
        """Seconds; of what never was, or will be when a clock that was set back comes there, more than any."""
        age = float("inf") if since is None else self._clock() - since
        return age if age >= 0 else float("inf")

    def _may_ask(self, client: Client, known: _Known) -> bool:
        if known.fetching is not None or self._age(known.asked_at) < COOLDOWN:
            return False
        return client.is_declared or self._strangers_fetches < MOST_STRANGERS_FETCHES

    def _begin(self, client: Client, known: _Known) -> None:
        known.asked_at = self._clock()
        self._strangers_fetches += not client.is_declared
        known.fetching = asyncio.create_task(self._fetch(client, known))
        self._fetches.add(known.fetching)
        known.fetching.add_done_callback(lambda done: self._ended(client, done))

    def _ended(self, client: Client, fetch: asyncio.Task[None]) -> None:
        self._fetches.discard(fetch)
        self._strangers_fetches -= not client.is_declared

    async def _fetch(self, client: Client, known: _Known) -> None:
        try:
            answer = await self._outgoing.get(
                client.jwks_uri or "",
                is_trusted=client.is_declared,
                accept="application/jwk-set+json, application/json",
                most_bytes=MOST_BYTES,
            )
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}")
            known.keys = _usable(parse_object(answer.body))
            known.fetched_at = self._clock()
            known.is_away = False
        except (OutgoingFailed, ValueError) as failure:
            if not known.is_away:  # said once, not every few seconds of a long night
                known.is_away = True
                reason = failure if isinstance(failure, OutgoingFailed) else f"no JWK Set, {type(failure).__name__}"
                _log.warning(
                    "cannot fetch the keys of client %s, keeping %d: %s", client.client_id, len(known.keys), reason
                )
        finally:
            known.fetching = None
            known.asked_at = self._clock()  # from its end: a fetch that came to nothing may have taken longer than that


def _usable(jwk_set: Mapping[str, object]) -> Keys:
    """Those that we can use, at most MOST_KEYS. Raises ValueError for what is no JWK Set."""
    entries = jwk_set.get("keys")
    if isinstance(entries, list):
        jwk_set = {"keys": entries[:MOST_ENTRIES]}
    keys = usable_keys(jwk_set, kid_may_be_absent=True)
    return tuple(islice((key for key in keys if not is_costly(key)), MOST_KEYS))
