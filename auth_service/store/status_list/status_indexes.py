"""Reservation of status list indexes for new token families.

A process reserves a whole block and hands out its free indexes in random order. So an index costs no write of its own,
and does not show which tokens were issued one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, select, update

from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import revoked_indexes, status_blocks, status_lists, token_families
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS, LARGER_LIST_DELAY
from tallystick.clock import LEEWAY
from tallystick_service.store import advisory_lock, insert_on_conflict

BLOCK = 1024
"""Indexes in a block."""
MAX_SIZE = 2**26
"""Bits of the list (8 MiB). When a list of this size is full, no new family begins until old ones have expired."""
_MAX_LOOKED_AT = 4
"""Blocks with few free indexes that are examined before the best of them is taken."""
_ENOUGH_ROOM = BLOCK // 4
"""Free indexes in a block. If no examined block has as many, the list grows."""


@dataclass(frozen=True)
class Reserved:
    """Free indexes of one block that no other process hands out before `until` (Unix seconds)."""

    indexes: Sequence[int]
    until: int


def reserve_block(connection: Connection, anywhere: Sequence[int], *, now: int, until: int) -> Reserved | None:
    """Reserve a block for this process. Each of the large random numbers in `anywhere` names a block to examine.

    None when no index is free, or no list has been published yet. When few indexes are free, this also asks the next
    publication for a larger list.
    """
    advisory_lock(connection, Lock.STATUS_BLOCKS)
    status_list = connection.execute(_LIST, {"seen": now - LARGER_LIST_DELAY}).one()
    if not status_list.is_published:
        return None
    blocks = list(dict.fromkeys(number % (status_list.usable // BLOCK) for number in anywhere))
    taken = set(connection.execute(_TAKEN, {"blocks": blocks, "now": now}).scalars())
    not_taken = [block for block in blocks if block not in taken]
    block, indexes = 0, list[int]()
    for looked, candidate in enumerate(not_taken):
        # A verifier may use a list for its whole lifetime; until then an index must not mean another family.
        free = _free_in(connection, candidate, ended_by=now + KEEP_ENDED_SECONDS - LEEWAY - status_list.lifetime)
        if len(free) > len(indexes):
            block, indexes = candidate, free
        if len(indexes) >= _ENOUGH_ROOM or (indexes and looked >= _MAX_LOOKED_AT):
            break
    if len(indexes) < _ENOUGH_ROOM:
        connection.execute(_GROW, {"seen": now - LARGER_LIST_DELAY})
    if not indexes:
        return None
    connection.execute(_RESERVE[connection.dialect.name], {"block": block, "reserved_until": until})
    return Reserved(indexes, until)


def _free_in(connection: Connection, block: int, *, ended_by: int) -> list[int]:
    """The free indexes of a block.

    Takes the index from families that expired without a revocation, when their `prune_at` is `ended_by` or earlier:
    their bits are not set. The index of a revoked family is freed when its bit has been cleared (`free_indexes`).
    """
    indexes = range(block * BLOCK, (block + 1) * BLOCK)
    bounds = {"first": indexes[0], "last": indexes[-1]}
    connection.execute(_FREE, {**bounds, "ended_by": ended_by})
    used = {*connection.execute(_USED, bounds).scalars(), *connection.execute(_REVOKED, bounds).scalars()}
    return [index for index in indexes if index not in used]


_LIST = select(
    (status_lists.c.token != "").label("is_published"),
    status_lists.c.lifetime,
    case((status_lists.c.grown_at <= bindparam("seen"), status_lists.c.size), else_=status_lists.c.size_before).label(
        "usable"
    ),
)
_GROW = (
    update(status_lists)
    .where(
        status_lists.c.wanted_size == status_lists.c.size,
        status_lists.c.size < MAX_SIZE,
        # One growth at a time: otherwise a verifier could meet indexes of a list two sizes larger than the one it has.
        status_lists.c.grown_at <= bindparam("seen"),
    )
    .values(wanted_size=status_lists.c.size * 2)
)
_TAKEN = select(status_blocks.c.block).where(
    status_blocks.c.block.in_(bindparam("blocks", expanding=True)), status_blocks.c.reserved_until > bindparam("now")
)
_IN_BLOCK = token_families.c.status_index.between(bindparam("first"), bindparam("last"))
_USED = select(token_families.c.status_index).where(_IN_BLOCK)
_REVOKED = select(revoked_indexes.c.status_index).where(
    revoked_indexes.c.status_index.between(bindparam("first"), bindparam("last"))
)
_FREE = (
    update(token_families)
    .where(_IN_BLOCK, token_families.c.revoked_at.is_(None), token_families.c.prune_at <= bindparam("ended_by"))
    .values(status_index=None)
)


_RESERVE = insert_on_conflict(
    status_blocks,
    lambda insert: insert.on_conflict_do_update(
        index_elements=[status_blocks.c.block], set_={"reserved_until": insert.excluded.reserved_until}
    ),
)
