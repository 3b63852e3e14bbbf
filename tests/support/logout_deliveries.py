"""Deliveries of logout tokens: sign out, enqueue, and wait for a state of the queue."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, insert, select

from auth_service.store.schema import tables as t
from tests.support.auth_service import AuthService
from tests.support.relying_party import RelyingParty, claims_of
from tests.support.waiting import until_it_is

DAY = 86_400


async def log_out(rp: RelyingParty) -> str:
    """Sign in to the client and out again. Returns the `sid` of the ended login session."""
    id_token = (await rp.tokens())["id_token"]
    assert "You are signed out" in (await rp.browser.open(f"/logout?id_token_hint={id_token}")).text
    return str(claims_of(id_token)["sid"])


def rows(connection: Connection) -> list[Any]:
    return list(connection.execute(select(t.logout_deliveries)))


async def until_rows(auth: AuthService, condition: Callable[[list[Any]], bool]) -> None:
    async def holds() -> bool:
        return condition(await auth.store.read(rows))

    await until_it_is(holds)


async def until_next_attempt_is(auth: AuthService, *at: int) -> None:
    """Wait until the queued deliveries are due at these times (Unix seconds), in order."""
    await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == list(at))


async def until_all_are_done(auth: AuthService) -> None:
    await until_next_attempt_is(auth)


def wake(auth: AuthService) -> None:
    """Wake the delivery task, as ending a login session does."""
    auth.app.state.provider.logout_delivery.wake()


def queue(connection: Connection, client_id: str, how_many: int, *, now: int) -> None:
    """Enqueue deliveries to a client, as if another process had ended login sessions."""
    row = {"client_id": client_id, "sub": "sub", "ended_at": now, "attempts": 0, "attempt_at": now}
    connection.execute(
        insert(t.logout_deliveries),
        [
            row | {"delivery_id": f"{client_id} {n}".encode(), "sid": f"sid-{n}", "give_up_at": now + DAY}
            for n in range(how_many)
        ],
    )


def add_clients(connection: Connection, names: list[str], origin: str) -> None:
    like = connection.execute(select(t.clients).where(t.clients.c.client_id == "app-one")).one()._asdict()
    for name in names:
        metadata = like["metadata"] | {"backchannel_logout_uri": f"https://{name}.example.org/"}
        changes = {"client_id": name, "origin": origin, "metadata": metadata}
        connection.execute(insert(t.clients).values(like | changes))
