"""Which bits of the status list may be given to new token families.

Processes reserve whole blocks and hand out what is free in them at random, so that an index costs no write of its own
and tells nothing about its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, select, update

from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import revoked_indexes, status_blocks, status_lists, token_families
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS
from tallystick.clock import LEEWAY
from tallystick_service.store import advisory_lock, insert_on_conflict

BLOCK = 1024
"""Indexes."""
MAX_SIZE = 2**26
"""Bits of the list, 8 MiB: beyond it there are no new families until old ones have died."""
SEEN_AFTER = 10
"""Seconds from the publication of a larger list until its new indexes are handed out."""
_LOOK_AT = 4
"""Blocks with little room to look into before the best of them is taken."""
_ROOM = BLOCK // 4
"""A list in which no block looked at has so many free indexes is to grow."""


@dataclass(frozen=True)
class Reserved:
    """Free indexes that nobody else gives away before `until` (Unix seconds)."""

    indexes: Sequence[int]
    until: int


def reserve_block(connection: Connection, anywhere: Sequence[int], *, now: int, until: int) -> Reserved | None:
    """Reserve a block for this process; `anywhere` are large random numbers, a place to look at for each.

    None when nothing is free, or no list has been published yet. When room runs short, the list is asked to grow.
    """
    advisory_lock(connection, Lock.STATUS_BLOCKS)
    status_list = connection.execute(_LIST, {"seen": now - SEEN_AFTER}).one()
    if not status_list.is_published:
        return None
    blocks = list(dict.fromkeys(number % (status_list.usable // BLOCK) for number in anywhere))
    taken = set(connection.execute(_TAKEN, {"blocks": blocks, "now": now}).scalars())
    not_taken = [block for block in blocks if block not in taken]
    block, indexes = 0, list[int]()
    for looked, candidate in enumerate(not_taken):
        # A list is believed for its lifetime: until then, an index may not mean another family.
        free = _free_in(connection, candidate, dead_by=now + KEEP_ENDED_SECONDS - LEEWAY - status_list.lifetime)
        if len(free) > len(indexes):
            block, indexes = candidate, free
        if len(indexes) >= _ROOM or (indexes and looked >= _LOOK_AT):
            break
    if len(indexes) < _ROOM:
        connection.execute(_GROW, {"seen": now - SEEN_AFTER})
    if not indexes:
        return None
    connection.execute(_RESERVE[connection.dialect.name], {"block": block, "reserved_until": until})
    return Reserved(indexes, until)


def _free_in(connection: Connection, block: int, *, dead_by: int) -> list[int]:
    """Families that ended by themselves give theirs back when they may be pruned at `dead_by`, since they have no bit
    set; what was revoked is free when its bit has gone."""
    indexes = range(block * BLOCK, (block + 1) * BLOCK)
    bounds = {"first": indexes[0], "last": indexes[-1]}
    connection.execute(_FREE, {**bounds, "dead_by": dead_by})
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
        status_lists.c.grown_at <= bindparam("seen"),  # else it would be a third size before the second was seen
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
    .where(_IN_BLOCK, token_families.c.revoked_at.is_(None), token_families.c.prune_at <= bindparam("dead_by"))
    .values(status_index=None)
)


_RESERVE = insert_on_conflict(
    status_blocks,
    lambda insert: insert.on_conflict_do_update(
        index_elements=[status_blocks.c.block], set_={"reserved_until": insert.excluded.reserved_until}
    ),
)
