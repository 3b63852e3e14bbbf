"""Client keys from a jwks_uri: shared fetches, bounded in number, and never from a private network."""

import asyncio

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from sqlalchemy import Connection, update

from auth_service.authentication.clients.client_keys import MAX_FETCHES, MAX_FETCHES_PER_DOMAIN
from auth_service.store.clients import clients
from auth_service.store.schema.tables import clients as clients_table
from tests.support.asserting_client import REFUSED, AssertingClient, KeysHost, ask, new_key, present, running
from tests.support.auth_service import running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import declared_settings
from tests.support.far_side import far_side
from tests.support.patience import PATIENCE
from tests.support.waiting import until

pytestmark = pytest.mark.postgresql


@pytest.fixture
def signer(clock: MovableClock) -> AssertingClient:
    return AssertingClient("signer", clock)


async def test_keys_at_a_jwks_uri_are_fetched_once(
    auth_database_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(signer.key)
    async with running(auth_database_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        at_once = await asyncio.gather(*(present(auth, signer) for _ in range(5)))
        assert (200, "") in at_once
        assert await present(auth, signer) == (200, "")
        assert keys.urls == ["https://client.example.org/keys"]


async def test_first_assertion_with_a_new_kid_causes_a_fetch(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")
        old, signer.key = signer.key, new_key("ES256", "k2")
        keys.keys = [signer.key]
        clock.advance(seconds=4)
        assert await present(auth, signer) == (200, "")
        signer.key = old
        assert await present(auth, signer) == REFUSED  # withdrawn
        assert keys.fetches == 2


async def test_first_assertion_with_a_new_key_without_a_kid_causes_a_fetch(
    auth_sqlite_url: str, clock: MovableClock
) -> None:
    signer = AssertingClient("signer", clock, new_key("RS256", None), "RS256")
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")
        signer.key = new_key("RS256", None)
        keys.keys = [signer.key]
        clock.advance(seconds=4)
        assert await present(auth, signer) == (200, "")


async def test_unknown_kids_cause_one_fetch_per_cooldown(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")
        thief = AssertingClient("signer", clock, new_key("ES256", "strange"))
        for expected in (1, 2, 3):
            refusals = await asyncio.gather(*(present(auth, thief) for _ in range(10)))
            assert refusals == [REFUSED] * 10
            assert keys.fetches == expected
            clock.advance(seconds=4)


async def test_keys_older_than_five_minutes_are_fetched_in_the_background(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")
        clock.advance(seconds=299)
        assert await present(auth, signer) == (200, "")
        assert keys.fetches == 1
        clock.advance(seconds=1)
        assert await present(auth, signer) == (200, "")
        await asyncio.sleep(0)
        assert keys.fetches == 2


async def test_keys_older_than_15_minutes_are_fetched_before_use(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")
        keys.keys = [new_key("ES256", "k2")]
        clock.advance(seconds=900)
        assert await present(auth, signer) == REFUSED


@pytest.mark.parametrize(
    "spoil",
    [
        {"document": b"<html>"},
        {"document": b"[]"},
        {"document": b'{"keys": {}}'},
        {"document": b'{"keys": [], "keys": []}'},
        {"document": b'{"keys":' + b"[" * 5000},
        {"document": b" " * 70_000 + b'{"keys": []}'},
        {"headers": {"Content-Encoding": "br"}},
        {"status": 500},
        {"status": 404},
        {"status": 302, "headers": {"Location": "https://client.example.org/other"}},
        {"is_unreachable": True},
    ],
    ids=lambda spoil: str(spoil)[:50],
)
async def test_failed_fetch_is_invalid_client_and_keeps_the_last_good_keys(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient, spoil: dict[str, object]
) -> None:
    keys = KeysHost(signer.key)
    vars(keys).update(spoil)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == REFUSED
        assert await present(auth, signer) == REFUSED
        assert keys.fetches == 1
        vars(keys).update(document=None, status=200, headers={}, is_unreachable=False)
        clock.advance(seconds=4)
        assert await present(auth, signer) == (200, "")
        # Cached keys stay.
        vars(keys).update(spoil)
        clock.advance(seconds=86_400)
        assert await present(auth, signer) == (200, "")
        assert keys.fetches == 3


async def test_unusable_keys_in_a_key_set_are_skipped(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost(new_key("RS256", "e", use="enc"), new_key("ES256", "other", alg="ES512"), signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == (200, "")


async def test_unreachable_jwks_uri_is_invalid_client(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    declared = signer.declared(jwks=None, jwks_uri="http://127.0.0.1:9/keys")
    async with running_auth_service(auth_sqlite_url, clock, client=[declared]) as auth:  # by the real network
        assert await present(auth, signer) == REFUSED


async def test_jwks_uri_of_a_self_registered_client_must_not_be_private(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    async with far_side() as inside:
        declared = signer.declared(jwks=None, jwks_uri=f"http://127.0.0.1:{inside.port}/keys")
        async with running_auth_service(auth_sqlite_url, clock, client=[declared]) as auth:
            await auth.store.write(_registered_itself)
            assert await present(auth, signer) == REFUSED
            assert inside.connections == 0


def _registered_itself(connection: Connection) -> None:
    connection.execute(update(clients_table).values(origin=clients.REGISTRATION))


BUSY = (503, "temporarily_unavailable")


class SilentNetwork:
    """A network in which hosts below `.silent` never answer. The others serve the keys of `host`."""

    def __init__(self, host: KeysHost) -> None:
        self._host = host
        self.asked: list[str] = []
        self.transport = httpx.MockTransport(self._answer)
        self.end = asyncio.Event()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if not request.url.host.endswith(".silent"):
            return await self._host.transport.handle_async_request(request)
        self.asked.append(str(request.url))
        await self.end.wait()
        return httpx.Response(404)


def at(name: str, host: str, clock: MovableClock, signer: AssertingClient) -> dict[str, object]:
    return AssertingClient(name, clock, signer.key).declared(jwks=None, jwks_uri=f"https://{host}/keys")


async def test_hosts_that_never_answer_delay_no_proven_client(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_service.outgoing.requests.REQUEST_TIMEOUT", PATIENCE)
    network = SilentNetwork(KeysHost(signer.key))
    names = [f"hostile-{number}" for number in range(8)]
    declared = [at(name, f"{name}.silent", clock, signer) for name in names]
    declared += [at("honest", "honest.example", clock, signer), at("late", "late.example", clock, signer)]
    async with running_auth_service(
        auth_sqlite_url, clock, outgoing_transport=network.transport, client=declared
    ) as auth:
        await auth.store.write(_registered_itself)
        honest = AssertingClient("honest", clock, signer.key)
        assert await present(auth, honest) == (200, "")
        clock.advance(seconds=900)  # so that its keys are fetched again
        asking = [asyncio.create_task(present(auth, AssertingClient(name, clock, signer.key))) for name in names]
        await until(lambda: sum(task.done() for task in asking) == len(names) - MAX_FETCHES["new"])
        assert len(network.asked) == MAX_FETCHES["new"]
        assert [task.result() for task in asking if task.done()] == [BUSY] * (len(names) - MAX_FETCHES["new"])
        assert await present(auth, honest) == (200, "")
        # The keys of a new client cannot be fetched now, so the response is 503 and not invalid_client.
        late = AssertingClient("late", clock, signer.key)
        response = await ask(auth, late.fields())
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        network.end.set()
        assert (await asyncio.gather(*asking)).count(REFUSED) == MAX_FETCHES["new"]
        # Clients whose last fetch failed have few slots from now on, and delay no new client.
        network.end.clear()
        clock.advance(seconds=4)
        failed = [url.removeprefix("https://").partition(".")[0] for url in network.asked]
        asking = [asyncio.create_task(present(auth, AssertingClient(name, clock, signer.key))) for name in failed]
        await until(lambda: sum(task.done() for task in asking) == 4 - MAX_FETCHES["failing"])
        assert await present(auth, late) == (200, "")
        network.end.set()
        await asyncio.gather(*asking)


async def test_hosts_of_one_domain_share_two_fetches(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_service.outgoing.requests.REQUEST_TIMEOUT", PATIENCE)
    network = SilentNetwork(KeysHost(signer.key))
    names = [f"hostile-{number}" for number in range(4)]
    declared = [at(name, f"{name}.one-owner.silent", clock, signer) for name in names]
    declared.append(at("honest", "honest.example", clock, signer))
    async with running_auth_service(
        auth_sqlite_url, clock, outgoing_transport=network.transport, client=declared
    ) as auth:
        await auth.store.write(_registered_itself)
        asking = [asyncio.create_task(present(auth, AssertingClient(name, clock, signer.key))) for name in names]
        await until(lambda: sum(task.done() for task in asking) == len(names) - MAX_FETCHES_PER_DOMAIN)
        assert len(network.asked) == MAX_FETCHES_PER_DOMAIN
        assert await present(auth, AssertingClient("honest", clock, signer.key)) == (200, "")
        network.end.set()
        await asyncio.gather(*asking)


async def test_too_costly_key_is_not_used(auth_sqlite_url: str, clock: MovableClock) -> None:
    signer = AssertingClient("signer", clock, RSAKey.generate_key(4104, {"kid": "k1"}), "RS256")
    with pytest.raises(ValidationError, match="at most 4096 bits"):
        declared_settings(auth_sqlite_url, client=[signer.declared()])
    keys = KeysHost(signer.key)
    async with running(auth_sqlite_url, clock, signer.at_jwks_uri(), keys=keys) as auth:
        assert await present(auth, signer) == REFUSED
