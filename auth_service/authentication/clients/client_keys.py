"""The public keys of clients, from what they registered: their `jwks`, or what is at their `jwks_uri`."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from auth_service.authentication.clients.key_cache import KeyCache, Keys, KnownKeys, usable
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.outgoing.domains import domain_of
from auth_service.store.clients.clients import Client
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.strict_json import parse_object

FRESH = 300
"""Seconds for which fetched keys are taken as they are; older ones are still used, while they are fetched again."""
STALE = 900
"""Seconds after which they are not used before they have been fetched again, if they can be."""
COOLDOWN = 4
"""Seconds, by the clock, during which assertions that no key fits cannot make us ask a client a second time."""
MAX_FETCHES = {"proven": 4, "new": 4, "failing": 2}
"""At once for clients that registered themselves: with a key that has verified an assertion; not asked before; with a
last answer of no use. None of these kinds keeps another waiting. In all they are fewer than the connections that there
are for such clients, which logout tokens and logos need, too."""
MAX_FETCHES_PER_DOMAIN = 2
"""Of these, to the hosts of one owner."""
MAX_BYTES = 64 * 1024
_BUSY_FOR = 5
"""Seconds after which a client shall come again when all places are taken: as long as a fetch may last."""

_log = logging.getLogger(__name__)


class ClientKeys:
    """One fetch at a time for each client; a fetch that fails changes nothing: the last good keys stay.

    A client whose address does not answer has no keys, and the caller's answer is `invalid_client`. A client that could
    not be asked, because others take all places, is told to come again.
    """

    def __init__(self, outgoing: OutgoingRequests, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._cache = KeyCache()
        self._fetches: dict[asyncio.Task[None], _Place | None] = {}

    async def of(self, client: Client) -> Keys:
        """The keys of the client, which for a `jwks_uri` may be a few minutes old.

        Raises TemporarilyUnavailable when none are known, and too many others are being asked for theirs.
        """
        known = self._cache.recall(client)
        age = self._age(known.fetched_at)
        if client.jwks_uri is not None and age >= FRESH and self._is_due(known):
            self._begin(client, known, must=not known.keys)
        if known.fetching is not None and age >= STALE and not (known.keys and known.is_away):
            await asyncio.shield(known.fetching)  # one caller may give up without taking the others' fetch along
        return known.keys

    async def newer(self, client: Client) -> Keys | None:
        """The keys after the client was asked for others; None when it was asked a moment ago.

        Raises TemporarilyUnavailable when too many others are being asked for theirs.
        """
        known = self._cache.recall(client)
        if client.jwks_uri is None:
            return None
        if known.fetching is None:
            if not self._is_due(known):
                return None
            self._begin(client, known, must=True)
        if known.fetching is not None:
            await asyncio.shield(known.fetching)
        return known.keys

    async def aclose(self) -> None:
        for fetch in self._fetches:
            fetch.cancel()
        await asyncio.gather(*self._fetches, return_exceptions=True)

    def prove(self, client: Client) -> None:
        """An assertion was signed with a key of the client's: from now on its keys are kept before those of others."""
        self._cache.prove(client)

    def _age(self, since: int | None) -> float:
        """Seconds; of what never was, or will be when a clock that was set back comes there, more than any."""
        age = float("inf") if since is None else self._clock() - since
        return age if age >= 0 else float("inf")

    def _is_due(self, known: KnownKeys) -> bool:
        return known.fetching is None and self._age(known.asked_at) >= COOLDOWN

    def _begin(self, client: Client, known: KnownKeys, *, must: bool) -> None:
        """Raises TemporarilyUnavailable when it `must` begin and there is no place."""
        place = None if client.is_declared else _place_of(client, known)
        if place is not None and not self._is_free(place):
            if must:
                raise TemporarilyUnavailable("the keys of too many clients are being fetched", retry_after=_BUSY_FOR)
            return
        known.asked_at = self._clock()
        known.fetching = asyncio.create_task(self._fetch(client, known))
        self._fetches[known.fetching] = place
        known.fetching.add_done_callback(self._fetches.pop)

    def _is_free(self, place: "_Place") -> bool:
        taken = [other for other in self._fetches.values() if other is not None]
        return (
            sum(other.kind == place.kind for other in taken) < MAX_FETCHES[place.kind]
            and sum(other.domain == place.domain for other in taken) < MAX_FETCHES_PER_DOMAIN
        )

    async def _fetch(self, client: Client, known: KnownKeys) -> None:
        try:
            answer = await self._outgoing.get(
                client.jwks_uri or "",
                is_trusted=client.is_declared,
                accept="application/jwk-set+json, application/json",
                max_bytes=MAX_BYTES,
            )
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}")
            known.keys = usable(parse_object(answer.body))
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


@dataclass(frozen=True)
class _Place:
    """What a fetch for a client that registered itself takes up."""

    kind: Literal["proven", "new", "failing"]
    domain: str


def _place_of(client: Client, known: KnownKeys) -> _Place:
    domain = domain_of(urlsplit(client.jwks_uri or "").hostname or "")
    if known.is_proven:
        return _Place("proven", domain)
    return _Place("failing" if known.is_away else "new", domain)
