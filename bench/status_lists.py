"""What status lists cost, by how many families live: `python -m bench.status_lists [--living N] [--revoked SHARE]`.

5 million living families of which 0.1 % are revoked, unless told otherwise: bytes on the wire, the time to build a list
and to take it in, the memory of a verifier; and in a store that is filled for real, how long the units of work take
that have to do with it: SQLite, or with `--database-url` any database that may be filled and is then thrown away.
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
CROWD = 50_000
"""Rows that are written at once while the store is filled."""


def size_for(living: int) -> int:
    """Bits that the list has grown to: it doubles when it is three quarters full."""
    size = 2**17
    while living > 0.75 * size:
        size *= 2
    return size


def milliseconds(work: Callable[[], object]) -> float:
    """The median of several times."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


async def milliseconds_of(work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def a_key() -> tuple[SigningKey, PublicKey]:
    master_key = MasterKey.load(base64url.encode(secrets.token_bytes(32)), may_create=False)
    stored = make_key(master_key, "ES256", published_at=NOW, signs_from=NOW)
    public = parse_jwk_set(json.dumps({"keys": [stored.public_jwk]}).encode())
    return decrypt_key(stored, master_key), public[stored.kid]


def the_list(living: int, revoked_share: float) -> None:
    """Without a store: what is sent and what a verifier does with it."""
    size = size_for(living)
    revoked = sorted(random.Random(1).sample(range(size), round(living * revoked_share)))
    signing_key, public_key = a_key()
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
    show("living families", f"{living:,}, {len(revoked):,} of them revoked")
    show("the list", f"{size:,} bits, {size // 8 // 1024:,} KiB before compression")
    show("bytes on the wire", f"{len(token):,}")
    show("to build and sign", f"{milliseconds(build):.1f} ms")
    taking_in = milliseconds(lambda: parse_status_list(token, uri=uri, key=public_key, now=NOW))
    show("to verify and take in", f"{taking_in:.1f} ms")
    show("memory of a verifier", f"{kept / 1024:,.0f} KiB kept, {peak / 1024:,.0f} KiB while it is taken in")
    show("to look up an index", f"{1e6 * look_up:.2f} µs")


async def the_store(living: int, revoked_share: float, url: str) -> None:
    """The units of work, with all the families there."""
    migrate(url, "auth_service.migrations")
    store = Store.open(url, deadline=600)
    size = size_for(living)
    begin = time.perf_counter()
    await store.write(_parents, size)
    for rows in _families(living, size, revoked_share):
        await store.write(_fill, rows)
    revoked = round(living * revoked_share)
    await store.write(_revoked, _order(living, size)[:revoked])
    show("the store was filled in", f"{time.perf_counter() - begin:.0f} s")
    await store.write(revoked_indexes.assign_revision)
    known = await store.read(status_lists.load_list)
    show(
        "to look whether anything has changed",
        f"{await milliseconds_of(lambda: store.read(status_lists.read_changes, known)):.2f} ms",
    )
    page = await milliseconds_of(
        lambda: store.read(revoked_indexes.read_page, after=-1, revision=known.revision, now=NOW, limit=20_000)
    )
    show("to read what is revoked", f"{page:.1f} ms")

    async def reserve() -> None:
        anywhere = [secrets.randbits(62) for _ in range(16)]
        await store.write(status_indexes.reserve_block, anywhere, now=NOW, until=NOW + 600)

    show("to reserve a block of 1024 indexes", f"{await milliseconds_of(reserve):.1f} ms")
    numbers = iter(range(living - 1, 0, -1))

    async def revoke_one() -> None:
        await store.write(revoke_family, next(numbers).to_bytes(16, "big"), now=NOW)

    show("to revoke a family", f"{await milliseconds_of(revoke_one):.2f} ms")
    await store.close()


def _parents(connection: Connection, size: int) -> None:
    connection.execute(lists_table.update().values(size=size, size_before=size, wanted_size=size, token="x"))
    if connection.execute(select(clients.c.client_id)).first() is None:
        client = {"client_id": "app", "metadata": {}, "origin": "file", "created_at": NOW}
        user = {"sub": "ada", "email": "ada@example.com", "email_key": "ada@example.com", "claims": {}, "roles": []}
        connection.execute(insert(clients), [client])
        connection.execute(insert(users), [user | {"origin": "file", "created_at": NOW, "updated_at": NOW}])


def _fill(connection: Connection, rows: list[dict[str, object]]) -> None:
    connection.execute(insert(token_families), rows)


def _revoked(connection: Connection, indexes: list[int]) -> None:
    connection.execute(insert(revoked_table), [{"status_index": index} for index in indexes])


def _order(living: int, size: int) -> list[int]:
    """Which index each family has: spread over the list, as random ones are after a while."""
    return random.Random(1).sample(range(size), living)


def _families(living: int, size: int, revoked_share: float) -> Iterator[list[dict[str, object]]]:
    order, revoked = _order(living, size), round(living * revoked_share)
    for first in range(0, living, CROWD):
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
                "status_index": order[number],
            }
            for number in range(first, min(first + CROWD, living))
        ]


def show(what: str, value: str) -> None:
    print(f"{what:<40} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--living", type=int, default=5_000_000)
    parser.add_argument("--revoked", type=float, default=0.001, help="the share of them")
    parser.add_argument("--database-url", help="a database to fill; a new SQLite file when left out")
    arguments = parser.parse_args()
    the_list(arguments.living, arguments.revoked)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        url = arguments.database_url or f"sqlite:///{Path(folder) / 'auth.db'}"
        asyncio.run(the_store(arguments.living, arguments.revoked, url))


if __name__ == "__main__":
    main()
