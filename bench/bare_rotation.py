"""The transaction of a rotation alone, through the store and its group commit, in a process of its own.

Arguments: the database file, seconds. Prints the count, the elapsed seconds and the CPU seconds.
"""

import asyncio
import sys
import time
from dataclasses import replace

import uvloop
from sqlalchemy import select

from auth_service.settings.settings import Lifetimes
from auth_service.store.schema import tables
from auth_service.store.tokens import refresh_tokens
from auth_service.store.tokens.refresh_tokens import Grace, RefreshToken, Rotated, Successor
from auth_service.store.tokens.token_families import FamilyLifetime
from tallystick_service.store import Store

_LIFETIMES = Lifetimes()
_LIFETIME = FamilyLifetime(
    refresh_token=_LIFETIMES.refresh_token,
    family=_LIFETIMES.refresh_token_family,
    access_token=_LIFETIMES.access_token,
)
_FAMILIES = select(
    tables.token_families.c.family_id,
    tables.token_families.c.generation,
    tables.token_families.c.refresh_key_version,
    tables.token_families.c.token_secret_hash,
).where(tables.token_families.c.sub.is_not(None))


async def main(database: str, seconds: float) -> None:
    store = Store.open(f"sqlite:///{database}")
    families = await store.read(lambda connection: connection.execute(_FAMILIES).all())
    cpu, begin = time.process_time(), time.perf_counter()
    tokens = [RefreshToken(*family) for family in families]
    counts = await asyncio.gather(*(_rotate(store, token, end=begin + seconds) for token in tokens))
    print(sum(counts), time.perf_counter() - begin, time.process_time() - cpu)
    await store.close()


async def _rotate(store: Store, token: RefreshToken, *, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        rotated = await store.write(
            refresh_tokens.rotate_refresh_token,
            replace(token, generation=token.generation + count),
            lambda family: family,
            successor=Successor(token.key_version, None),
            grace=Grace(_LIFETIMES.refresh_token_grace, only_once=False),
            now=int(time.time()),
            lifetime=_LIFETIME,
            login_session_idle=_LIFETIMES.login_session_idle,
        )
        if not isinstance(rotated, Rotated):
            raise RuntimeError("no rotation")
        count += 1
    return count


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
