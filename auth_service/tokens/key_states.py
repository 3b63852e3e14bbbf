"""What each signing key is good for at an instant.

Nothing here is a state that somebody must remember to change. Of one algorithm the newest key with `signs_from` ≤ now
signs; it retires its predecessor, which stays published until the last token it signed has expired; a withdrawn key is
nobody's. So every process comes to the same answer from the same rows and the time.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from auth_service.store.keys import StoredKey
from tallystick.jwk import PublicKey, parse_jwk_set


@dataclass(frozen=True)
class KeyStates:
    """The keys at one instant. `published` ones verify our tokens, `believed` ones an `id_token_hint`, too."""

    at: int
    signing: Mapping[str, StoredKey]  # by alg
    published: Mapping[str, PublicKey]
    believed: Mapping[str, PublicKey]
    jwks: bytes

    def of(self, row: StoredKey) -> Literal["waiting", "signing", "published", "retired", "withdrawn"]:
        """In one word, for people."""
        if row.kid not in self.believed:
            return "withdrawn"
        if row.kid not in self.published:
            return "retired"
        if row.signs_from > self.at:
            return "waiting"
        return "signing" if row == self.signing.get(row.alg) else "published"


def key_states(rows: list[StoredKey], known: Mapping[str, PublicKey], *, now: int, keep_published: int) -> KeyStates:
    """`known` are public keys parsed before; a retired key stays published for `keep_published` seconds."""
    unpublished_at: dict[str, int] = {}
    signing: dict[str, StoredKey] = {}
    for alg in {row.alg for row in rows}:
        turns = _turns(row for row in rows if row.alg == alg)
        unpublished_at |= {row.kid: successor.signs_from + keep_published for row, successor in pairwise(turns)}
        begun = [row for row in turns if row.signs_from <= now]
        if begun and begun[-1].withdrawn_at is None:
            signing[alg] = begun[-1]
    believed = [row for row in rows if row.withdrawn_at is None]
    published = [row for row in believed if now < unpublished_at.get(row.kid, now + 1)]
    parsed = {**known, **parse_jwk_set(_jwk_set(row for row in believed if row.kid not in known))}
    return KeyStates(
        at=now,
        signing=signing,
        published={row.kid: parsed[row.kid] for row in published},
        believed={row.kid: parsed[row.kid] for row in believed},
        jwks=_jwk_set(published),
    )


def _turns(rows: Iterable[StoredKey]) -> list[StoredKey]:
    """Of one algorithm, the keys that have signed or will, in order; at the same instant a withdrawn one gives way."""
    had_a_turn = (row for row in rows if row.withdrawn_at is None or row.withdrawn_at >= row.signs_from)
    return sorted(had_a_turn, key=lambda row: (row.signs_from, row.withdrawn_at is None, row.kid))


def _jwk_set(rows: Iterable[StoredKey]) -> bytes:
    return json.dumps({"keys": [row.public_jwk for row in rows]}).encode()
