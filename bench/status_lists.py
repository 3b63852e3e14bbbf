"""The cost of status lists: `python -m bench.status_lists [--families N] [--revoked SHARE] [--database-url URL]`.

Without a store: the size of a list, the time to build and to parse it, the memory of a verifier. With a store that
holds all families: the duration of the units of work that use the lists. The store is a new SQLite file, or an empty
database that can be discarded afterwards. The default is 5 million unexpired families, 0.1 % of them revoked.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, insert, select

from auth_service.keys.generation import decrypt_key, make_key
from auth_service.keys.master_key import MasterKey
from auth_service.status_list import status_list_token
from auth_service.store.schema.tables import clients, token_families, users
from auth_service.store.schema.tables import revoked_indexes as revoked_table
from auth_service.store.schema.tables import status_lists as lists_table
from auth_service.store.status_list import revoked_indexes, status_indexes, status_lists
from auth_service.store.tokens.revocations import revoke_family
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS
from tallystick import base64url
from tallystick.jwk import PublicKey, SigningKey, parse_jwk_set
from tallystick.status_list import parse_status_list
from tallystick_service.store import Store
from tallystick_service.store.migrations import migrate

ISSUER = "https://id.example.com"
NOW = 1_800_000_000
ROUNDS = 9
BATCH = 50_000
"""Rows of one insert while the store is filled."""


def size_for(families: int) -> int:
    """Return the size of the list in bits: it doubles when it is three quarters full."""
    size = 2**17
    while families > 0.75 * size:
        size *= 2
    return size


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median of ROUNDS runs."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


async def async_milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def make_signing_key() -> tuple[SigningKey, PublicKey]:
    master_key = MasterKey.load(base64url.encode(secrets.token_bytes(32)), may_create=False)
    stored = make_key(master_key, "ES256", published_at=NOW, signs_from=NOW)
    public = parse_jwk_set(json.dumps({"keys": [stored.public_jwk]}).encode())
    return decrypt_key(stored, master_key), public[stored.kid]


def measure_list(families: int, revoked_share: float) -> None:
    """Measure without a store: the list as it is sent, and the work of a verifier."""
    size = size_for(families)
    revoked = sorted(random.Random(1).sample(range(size), round(families * revoked_share)))
    signing_key, public_key = make_signing_key()
    uri = status_list_token.status_list_uri(ISSUER)

    def build() -> str:
        return status_list_token.sign_status_list(
            revoked, size=size, issuer=ISSUER, iat=NOW, lifetime=360, key=signing_key
        )

    token = build()
    tracemalloc.start()
    held = parse_status_list(token, uri=uri, key=public_key, now=NOW)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    indexes = random.Random(2).sample(range(size), 100_000)
    begin = time.perf_counter()
    for index in indexes:
        held.status(index)
    look_up = (time.perf_counter() - begin) / len(indexes)
    show("families", f"{families:,}, {len(revoked):,} of them revoked")
    show("the list", f"{size:,} bits, {size // 8 // 1024:,} KiB before compression")
    show("bytes on the wire", f"{len(token):,}")
    show("to build and sign", f"{milliseconds(build):.1f} ms")
    parsing = milliseconds(lambda: parse_status_list(token, uri=uri, key=public_key, now=NOW))
    show("to verify and parse", f"{parsing:.1f} ms")
    show("memory of a verifier", f"{kept / 1024:,.0f} KiB kept, {peak / 1024:,.0f} KiB while it is parsed")
    show("to look up an index", f"{1e6 * look_up:.2f} µs")


async def measure_store(families: int, revoked_share: float, url: str) -> None:
    """The units of work in a store that holds all families."""
    migrate(url, "auth_service.migrations")
    store = Store.open(url, deadline=600)
    size = size_for(families)
    begin = time.perf_counter()
    await store.write(_insert_owners, size)
    for rows in _families(families, size, revoked_share):
        await store.write(_insert_families, rows)
    revoked = round(families * revoked_share)
    await store.write(_insert_revoked, _indexes(families, size)[:revoked])
    show("the store was filled in", f"{time.perf_counter() - begin:.0f} s")
    await store.write(revoked_indexes.assign_revision)
    known = await store.read(status_lists.load_list)
    show(
        "to check for changes",
        f"{await async_milliseconds(lambda: store.read(status_lists.read_changes, known)):.2f} ms",
    )
    page = await async_milliseconds(
        lambda: store.read(revoked_indexes.read_page, after=-1, revision=known.revision, now=NOW, limit=20_000)
    )
    show("to read what is revoked", f"{page:.1f} ms")

    async def reserve() -> None:
        anywhere = [secrets.randbits(62) for _ in range(16)]
        await store.write(status_indexes.reserve_block, anywhere, now=NOW, until=NOW + 600)

    show("to reserve a block of 1024 indexes", f"{await async_milliseconds(reserve):.1f} ms")
    numbers = iter(range(families - 1, 0, -1))

    async def revoke_one() -> None:
        await store.write(revoke_family, next(numbers).to_bytes(16, "big"), now=NOW)

    show("to revoke a family", f"{await async_milliseconds(revoke_one):.2f} ms")
    await store.close()


def _insert_owners(connection: Connection, size: int) -> None:
    connection.execute(lists_table.update().values(size=size, size_before=size, wanted_size=size, token="x"))
    if connection.execute(select(clients.c.client_id)).first() is None:
        client = {"client_id": "app", "metadata": {}, "origin": "file", "created_at": NOW}
        user = {"sub": "ada", "email": "ada@example.com", "email_key": "ada@example.com", "claims": {}, "roles": []}
        connection.execute(insert(clients), [client])
        connection.execute(insert(users), [user | {"origin": "file", "created_at": NOW, "updated_at": NOW}])


def _insert_families(connection: Connection, rows: list[dict[str, object]]) -> None:
    connection.execute(insert(token_families), rows)


def _insert_revoked(connection: Connection, indexes: list[int]) -> None:
    connection.execute(insert(revoked_table), [{"status_index": index} for index in indexes])


def _indexes(families: int, size: int) -> list[int]:
    """Return the index of each family: random indexes, as in a store that has been in use."""
    return random.Random(1).sample(range(size), families)


def _families(count: int, size: int, revoked_share: float) -> Iterator[list[dict[str, object]]]:
    indexes, revoked = _indexes(count, size), round(count * revoked_share)
    for first in range(0, count, BATCH):
        yield [
            {
                "family_id": number.to_bytes(16, "big"),
                "client_id": "app",
                "sub": "ada",
                "scope": "openid",
                "resources": [],
                "generation": 0,
                "rotated_at": NOW,
                "refresh_expires_at": NOW + 1_209_600,
                "expires_at": NOW + 7_776_000,
                "prune_at": NOW + 1_209_900 + KEEP_ENDED_SECONDS,
                "revoked_at": NOW if number < revoked else None,
                "status_index": indexes[number],
            }
            for number in range(first, min(first + BATCH, count))
        ]


def show(what: str, value: str) -> None:
    print(f"{what:<40} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=int, default=5_000_000)
    parser.add_argument("--revoked", type=float, default=0.001, help="the revoked share of them")
    parser.add_argument("--database-url", help="a database to fill; a new SQLite file when left out")
    arguments = parser.parse_args()
    measure_list(arguments.families, arguments.revoked)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        url = arguments.database_url or f"sqlite:///{Path(folder) / 'auth.db'}"
        asyncio.run(measure_store(arguments.families, arguments.revoked, url))


if __name__ == "__main__":
    main()
