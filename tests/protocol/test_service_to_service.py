"""A service calls the notes API with its own token: both real services, and tallystick.client."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tallystick.client import ClientCredentials, TokenRequestRefused
from tallystick.client.authentication import PrivateKeyJwt
from tallystick.key_files import read_signing_key
from tests.support.asserting_client import AssertingClient, ask, new_key, running
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, NOTES, secret_of
from tests.support.network import Network, OnLoop, both_services
from tests.support.relying_party import RelyingParty

pytestmark = pytest.mark.postgresql

READ_AND_WRITE = "notes:read notes:write"


@pytest.fixture
async def network(auth: AuthService, tmp_path: Path) -> AsyncIterator[Network]:
    async with both_services(auth, tmp_path) as network:
        yield network


@pytest.fixture
async def notes(network: Network) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=network, base_url=NOTES) as client:
        yield client


Bot = Callable[..., ClientCredentials]


@pytest.fixture
def bot(network: Network) -> Bot:
    def credentials(
        scope: str = READ_AND_WRITE, client_id: str = "bot", secret: str | None = None
    ) -> ClientCredentials:
        return ClientCredentials(
            issuer=ISSUER,
            client_id=client_id,
            client_secret=secret or secret_of(client_id),
            scope=scope,
            resource=NOTES,
            transport=OnLoop(network),
        )

    return credentials


async def test_service_writes_and_reads_its_own_notes(notes: httpx.AsyncClient, bot: Bot) -> None:
    auth = bot()
    assert (await notes.post("/notes", json={"title": "Nightly"}, auth=auth)).status_code == 201
    page = (await notes.get("/notes", auth=auth)).json()
    assert [note["title"] for note in page["notes"]] == ["Nightly"]
    assert (await notes.get("/whoami", auth=auth)).json()["sub"] == "bot"


async def test_service_sees_neither_the_notes_of_users_nor_of_other_services(
    notes: httpx.AsyncClient, rp: RelyingParty, bot: Bot
) -> None:
    assert (await notes.post("/notes", json={"title": "Nightly"}, auth=bot())).status_code == 201
    ada = {"Authorization": f"Bearer {(await rp.tokens(scope=READ_AND_WRITE))['access_token']}"}
    assert (await notes.post("/notes", json={"title": "Ada's"}, headers=ada)).status_code == 201
    for auth, headers, titles in (
        (bot(), {}, ["Nightly"]),
        (bot("notes:read", "bot-of-two"), {}, []),
        (None, ada, ["Ada's"]),
    ):
        page = (await notes.get("/notes", auth=auth, headers=headers)).json()
        assert [note["title"] for note in page["notes"]] == titles


async def test_service_is_limited_to_its_scope(notes: httpx.AsyncClient, bot: Bot) -> None:
    reader = bot("notes:read")
    assert (await notes.get("/notes", auth=reader)).status_code == 200
    refused = await notes.post("/notes", json={"title": "x"}, auth=reader)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert 'scope="notes:write"' in refused.headers["WWW-Authenticate"]


async def test_service_gets_the_error_code_of_a_refused_token_request(notes: httpx.AsyncClient, bot: Bot) -> None:
    with pytest.raises(TokenRequestRefused, match="invalid_client"):
        await notes.get("/notes", auth=bot(secret="not the secret of the bot at all"))
    with pytest.raises(TokenRequestRefused, match="invalid_scope"):
        await notes.get("/notes", auth=bot("calendar:read"))


async def test_service_requests_one_new_token_when_the_api_refuses_the_old_one(
    notes: httpx.AsyncClient, auth: AuthService, bot: Bot
) -> None:
    reused = bot()
    assert (await notes.get("/notes", auth=reused)).status_code == 200
    auth.clock.advance(seconds=600)  # the token has expired by the clock of the services
    again = await notes.get("/notes", auth=reused)
    assert [response.status_code for response in (*again.history, again)] == [401, 200]
    assert again.request.headers["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize(("alg", "audience"), [("ES256", ISSUER), ("EdDSA", None)])
async def test_service_authenticates_with_a_private_key(
    auth_sqlite_url: str, clock: MovableClock, alg: str, audience: str | None
) -> None:
    signer = AssertingClient("signer", clock, new_key(alg), alg)
    key = read_signing_key(signer.key.as_dict(private=True))
    async with running(auth_sqlite_url, clock, signer.declared()) as auth:
        method = PrivateKeyJwt("signer", key, audience=audience, clock=clock)
        for _ in range(2):  # each assertion is accepted once
            form = {"grant_type": "client_credentials", **method.credentials(f"{ISSUER}/token").parameters}
            assert (await ask(auth, form)).status_code == 200
