"""The state of each signing key at an instant, computed from the stored rows and the time only.

No row has a state column, so no process has to change one, and all processes compute the same states. The keys of one
algorithm follow each other:

    instant                           state from then on   signs   in /jwks   checks hints   private half
    `published_at`                    waiting              no      yes        yes            kept
    `signs_from`                      signing              yes     yes        yes            kept
    `signs_from` of its successor     published            no      yes        yes            kept
    `keep_published` seconds later    retired              no      no         yes            destroyed
    `remembered` seconds later        the row is deleted

A key that is withdrawn, at any instant, is in none of these states: it neither signs nor verifies anything.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from auth_service.store.keys.signing_keys import DESTROYED, StoredKey
from tallystick.jwk import PublicKey, parse_jwk_set

MAX_RETIRED = 100
"""Retired keys of one algorithm that are kept for hints, however often an operator rotates."""


@dataclass(frozen=True)
class ActivatedKey:
    """A key that has signed or will, with the instant (Unix seconds) at which its successor starts to sign."""

    row: StoredKey
    retired_at: int | None
    """None while it has no successor."""

    def is_unpublished(self, at: int) -> bool:
        """Whether every token that it signed has expired by then, so that it is no longer in /jwks."""
        return self.retired_at is not None and self.retired_at + self.row.keep_published <= at


@dataclass(frozen=True)
class AlgorithmKeys:
    """The keys of one algorithm that matter for signing at one instant."""

    signing: StoredKey | None = None
    next: StoredKey | None = None
    """The newest of those that will sign."""
    previous: StoredKey | None = None
    """The key that signed before `signing`, unless it was withdrawn."""


@dataclass(frozen=True)
class KeyStates:
    """All keys at one instant."""

    at: int
    by_alg: Mapping[str, AlgorithmKeys]
    published: Mapping[str, PublicKey]
    """By kid: the keys that verify our tokens."""
    trusted_for_hints: Mapping[str, PublicKey]
    """By kid: the keys that verify an `id_token_hint`, which are all keys that were not withdrawn."""
    jwks: bytes
    """The published keys as a JWK Set (RFC 7517 §5)."""

    def of_alg(self, alg: str) -> AlgorithmKeys:
        return self.by_alg.get(alg, AlgorithmKeys())

    @property
    def in_service(self) -> list[StoredKey]:
        """The keys that sign or will."""
        return [row for keys in self.by_alg.values() for row in (keys.signing, keys.next) if row is not None]

    def state(self, row: StoredKey) -> Literal["waiting", "signing", "published", "retired", "withdrawn"]:
        """The word that `keys list` prints."""
        if row.kid not in self.trusted_for_hints:
            return "withdrawn"
        if row.kid not in self.published:
            return "retired"
        if row == self.of_alg(row.alg).signing:
            return "signing"
        return "waiting" if row.signs_from > self.at else "published"

    def due_at(self, alg: str, lifetime: int) -> int | None:
        """When the signing key is replaced; None if only a command replaces it (`lifetime` 0), or there is none."""
        keys = self.of_alg(alg)
        if keys.next is not None:
            return keys.next.signs_from
        return keys.signing.signs_from + lifetime if keys.signing is not None and lifetime else None


def key_states(rows: list[StoredKey], parsed: Mapping[str, PublicKey], *, now: int) -> KeyStates:
    """`parsed` are public keys, by kid, that need not be parsed again."""
    orders = {alg: activation_order(alg, rows) for alg in _algorithms(rows)}
    unpublished = {key.row.kid for order in orders.values() for key in order if key.is_unpublished(now)}
    trusted = [row for row in rows if row.withdrawn_at is None]
    published = [row for row in trusted if row.kid not in unpublished]
    public_keys = {**parsed, **parse_jwk_set(_jwk_set(row for row in trusted if row.kid not in parsed))}
    return KeyStates(
        at=now,
        by_alg={alg: _algorithm_keys(order, now) for alg, order in orders.items()},
        published={row.kid: public_keys[row.kid] for row in published},
        trusted_for_hints={row.kid: public_keys[row.kid] for row in trusted},
        jwks=_jwk_set(published),
    )


def activation_order(alg: str, rows: Iterable[StoredKey]) -> list[ActivatedKey]:
    """The keys of one algorithm that have signed or will, in that order.

    Of two that start at the same instant, the withdrawn one is the earlier.
    """
    activated = sorted(
        (row for row in rows if row.alg == alg and not row.was_withdrawn_before_use),
        key=lambda row: (row.signs_from, row.withdrawn_at is None, row.kid),
    )
    return [
        ActivatedKey(row, retired_at=None if successor is None else successor.signs_from)
        for row, successor in zip_longest(activated, activated[1:])
    ]


def active_index(order: list[ActivatedKey], now: int) -> int | None:
    """The place of the key that signs.

    It is the last that has started. If that key cannot sign, because it was withdrawn, or because a process with a
    clock ahead of ours has destroyed it, the next one signs before its time: signing does not wait for our clock.
    """
    started = [index for index, key in enumerate(order) if key.row.signs_from <= now]
    candidates = range(started[-1] if started else 0, len(order))
    return next((index for index in candidates if order[index].row.can_sign), None)


def keys_to_destroy(rows: list[StoredKey], *, now: int) -> list[str]:
    """The kids of retired keys that still have a private half."""
    return [
        key.row.kid
        for alg in _algorithms(rows)
        for key in activation_order(alg, rows)
        if key.row.private_key != DESTROYED and key.is_unpublished(now)
    ]


def keys_to_delete(rows: list[StoredKey], *, now: int, remembered: int) -> list[str]:
    """The kids that left /jwks, or were withdrawn before they signed, at least `remembered` seconds ago.

    Also, per algorithm, the oldest of either kind beyond MAX_RETIRED.
    """
    kids: list[str] = []
    for alg in _algorithms(rows):
        order = activation_order(alg, rows)
        retired, expired = _count_unpublished(order, now), _count_unpublished(order, now - remembered)
        kids += [key.row.kid for key in order[: max(expired, retired - MAX_RETIRED)]]
        unused = [row for row in rows if row.alg == alg and row.was_withdrawn_before_use]
        surplus = len(unused) - MAX_RETIRED
        kids += [
            row.kid
            for index, row in enumerate(unused)
            if index < surplus or (row.withdrawn_at or 0) <= now - remembered
        ]
    return kids


def _algorithms(rows: Iterable[StoredKey]) -> set[str]:
    return {row.alg for row in rows}


def _algorithm_keys(order: list[ActivatedKey], now: int) -> AlgorithmKeys:
    index = active_index(order, now)
    if index is None:
        return AlgorithmKeys()
    newest = order[-1].row
    before = order[index - 1].row if index > 0 else None
    return AlgorithmKeys(
        signing=order[index].row,
        next=newest if newest != order[index].row and newest.withdrawn_at is None else None,
        previous=before if before is not None and before.withdrawn_at is None else None,
    )


def _count_unpublished(order: list[ActivatedKey], at: int) -> int:
    """How many keys at the beginning of the order are unpublished, without a gap.

    Rows are deleted from the beginning only, because the row of a successor has the time at which a key retired.
    """
    return next((index for index, key in enumerate(order) if not key.is_unpublished(at)), len(order))


def _jwk_set(rows: Iterable[StoredKey]) -> bytes:
    return json.dumps({"keys": [row.public_jwk for row in rows]}).encode()
