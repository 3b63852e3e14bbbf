"""What each signing key is good for at an instant.

Nothing here is a state that somebody must remember to change. Of one algorithm the newest key with `signs_from` ≤ now
signs; it retires its predecessor, which stays published until the last token it signed has expired; a withdrawn key is
nobody's. So every process comes to the same answer from the same rows and the time.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Literal

from auth_service.store.keys.keys import DESTROYED, StoredKey
from tallystick.jwk import PublicKey, parse_jwk_set

MOST_RETIRED = 100
"""Of one algorithm, the most retired keys that are remembered for hints, however often somebody rotates."""


@dataclass(frozen=True)
class KeyStates:
    """The keys at one instant. `published` ones verify our tokens, `believed` ones an `id_token_hint`, too."""

    at: int
    signing: Mapping[str, StoredKey]  # by alg
    waiting: Mapping[str, StoredKey]  # by alg, the newest
    before: Mapping[str, StoredKey]  # by alg, the one that the signing one has retired, unless it was withdrawn
    published: Mapping[str, PublicKey]
    believed: Mapping[str, PublicKey]
    jwks: bytes

    @property
    def in_service(self) -> list[StoredKey]:
        """What signs or will."""
        return [*self.signing.values(), *self.waiting.values()]

    def of(self, row: StoredKey) -> Literal["waiting", "signing", "published", "retired", "withdrawn"]:
        """In one word, for people."""
        if row.kid not in self.believed:
            return "withdrawn"
        if row.kid not in self.published:
            return "retired"
        if row == self.signing.get(row.alg):
            return "signing"
        return "waiting" if row.signs_from > self.at else "published"

    def due_at(self, alg: str, lifetime: int) -> int | None:
        """When the key that signs shall give way; None when that takes a command (`lifetime` 0), or there is none."""
        if (waiting := self.waiting.get(alg)) is not None:
            return waiting.signs_from
        signing = self.signing.get(alg)
        return signing.signs_from + lifetime if signing is not None and lifetime else None


def key_states(rows: list[StoredKey], known: Mapping[str, PublicKey], *, now: int) -> KeyStates:
    """`known` are public keys parsed before."""
    unpublished_at: dict[str, int] = {}
    signing: dict[str, StoredKey] = {}
    waiting: dict[str, StoredKey] = {}
    before: dict[str, StoredKey] = {}
    for alg in {row.alg for row in rows}:
        turns = turns_of(alg, rows)
        unpublished_at |= _unpublished_at(turns)
        turn = _whose_turn(turns, now)
        if turn is not None:
            signing[alg] = turns[turn]
            if turn > 0 and turns[turn - 1].withdrawn_at is None:
                before[alg] = turns[turn - 1]
            if turn + 1 < len(turns) and turns[-1].withdrawn_at is None:
                waiting[alg] = turns[-1]
    believed = [row for row in rows if row.withdrawn_at is None]
    published = [row for row in believed if now < unpublished_at.get(row.kid, now + 1)]
    parsed = {**known, **parse_jwk_set(_jwk_set(row for row in believed if row.kid not in known))}
    return KeyStates(
        at=now,
        signing=signing,
        waiting=waiting,
        before=before,
        published={row.kid: parsed[row.kid] for row in published},
        believed={row.kid: parsed[row.kid] for row in believed},
        jwks=_jwk_set(published),
    )


def turns_of(alg: str, rows: Iterable[StoredKey]) -> list[StoredKey]:
    """Of one algorithm, the keys that have signed or will, in order; at the same instant a withdrawn one gives way."""
    had_a_turn = (
        row for row in rows if row.alg == alg and (row.withdrawn_at is None or row.withdrawn_at >= row.signs_from)
    )
    return sorted(had_a_turn, key=lambda row: (row.signs_from, row.withdrawn_at is None, row.kid))


def spent(rows: list[StoredKey], *, now: int) -> list[str]:
    """The kids whose private half nobody needs any more: unpublished, because they were retired long enough ago."""
    unpublished_at = {
        kid: at for alg in {row.alg for row in rows} for kid, at in _unpublished_at(turns_of(alg, rows)).items()
    }
    return [row.kid for row in rows if row.private_key != DESTROYED and unpublished_at.get(row.kid, now + 1) <= now]


def forgotten(rows: list[StoredKey], *, now: int, remembered: int) -> list[str]:
    """The kids that left /jwks, or were withdrawn before their turn, more than `remembered` seconds ago; and of either
    kind those beyond MOST_RETIRED."""
    return [kid for alg in {row.alg for row in rows} for kid in _forgotten_of(alg, rows, now - remembered, now)]


def _forgotten_of(alg: str, rows: list[StoredKey], long_ago: int, now: int) -> list[str]:
    turns = turns_of(alg, rows)
    ends = list(_unpublished_at(turns).items())
    # From the oldest on and without a gap: by the place of its successor is known when a key was retired.
    retired = [kid for kid, _ in takewhile(lambda end: end[1] <= now, ends)]
    too_old = [kid for kid, _ in takewhile(lambda end: end[1] <= long_ago, ends)]
    waited = [row for row in rows if row.alg == alg and row not in turns]  # and were withdrawn before their turn
    waited_too_old = [row.kid for row in waited if (row.withdrawn_at or 0) <= long_ago]
    return [
        *retired[: max(len(too_old), len(retired) - MOST_RETIRED)],
        *{*waited_too_old, *(row.kid for row in waited[: max(0, len(waited) - MOST_RETIRED)])},
    ]


def _unpublished_at(turns: list[StoredKey]) -> dict[str, int]:
    return {row.kid: successor.signs_from + row.keep_published for row, successor in pairwise(turns)}


def _whose_turn(turns: list[StoredKey], now: int) -> int | None:
    """The place of the key that signs.

    When that one cannot, because it was withdrawn, or was retired by a process whose clock is ahead of ours, the next
    one signs before its time: nobody waits until our clock has caught up.
    """
    begun = [place for place, row in enumerate(turns) if row.signs_from <= now]
    for place in range(begun[-1] if begun else 0, len(turns)):
        if turns[place].withdrawn_at is None and turns[place].private_key != DESTROYED:
            return place
    return None


def _jwk_set(rows: Iterable[StoredKey]) -> bytes:
    return json.dumps({"keys": [row.public_jwk for row in rows]}).encode()
