"""Begin here. One user, two clients, one API: one login works for both clients, and one logout ends both.

Each step is an HTTP request to the real auth service or the real notes API. They call each other without sockets.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import AuthService
from tests.support.declared import ISSUER, NOTES
from tests.support.network import Network
from tests.support.relying_party import answer_of

pytestmark = pytest.mark.postgresql

SCOPE = "openid email notes:read notes:write"


@pytest.fixture
async def notes_api(auth: AuthService, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An API with its own database. It knows only the URL of the auth service."""
    database_url = f"sqlite:///{tmp_path}/notes.db"
    migrate(database_url, "resource_service.migrations")
    settings = Settings(audience=NOTES, issuer=ISSUER, database_url=database_url)
    app = create_app(settings, auth.clock, Network({ISSUER: auth.app}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=NOTES) as http,
    ):
        yield http


async def test_one_login_two_clients_one_api(auth: AuthService, notes_api: httpx.AsyncClient) -> None:
    browser = auth.browser()
    one = auth.relying_party("app-one", browser)
    two = auth.relying_party("app-two", browser)

    # A request without a token leads to the metadata, which names the issuer.
    refused = await notes_api.get("/notes")
    assert refused.status_code == 401
    metadata = refused.headers["WWW-Authenticate"].partition('resource_metadata="')[2].strip('"')
    assert (await notes_api.get(metadata)).json()["authorization_servers"] == [ISSUER]

    # The first client sends the browser to the login page, gets a code, and redeems it for tokens.
    login_page = await one.authorize(scope=SCOPE)
    back_at_one = await browser.sign_in(login_page, username="ada@example.com", password="correct horse battery staple")
    tokens_of_one = (await one.token(answer_of(back_at_one)["code"])).json()

    # The API verifies the access token offline.
    as_one = {"Authorization": f"Bearer {tokens_of_one['access_token']}"}
    written = await notes_api.post("/notes", json={"title": "Split lengthwise"}, headers=as_one)
    assert written.status_code == 201

    # The second client, on another domain, gets its code without a page, because the browser is signed in.
    back_at_two = await two.authorize(scope=SCOPE)
    tokens_of_two = (await two.token(answer_of(back_at_two)["code"])).json()
    as_two = {"Authorization": f"Bearer {tokens_of_two['access_token']}"}
    (note,) = (await notes_api.get("/notes", headers=as_two)).json()["notes"]
    assert note["title"] == "Split lengthwise"
    assert (await two.userinfo(tokens_of_two["access_token"])).json()["email"] == "ada@example.com"

    # Access tokens are short-lived. The refresh token gives a new one, and a new refresh token.
    auth.clock.advance(seconds=400)
    assert (await notes_api.get("/notes", headers=as_one)).status_code == 401
    tokens_of_one = (await one.refresh(tokens_of_one["refresh_token"])).json()
    as_one = {"Authorization": f"Bearer {tokens_of_one['access_token']}"}
    assert (await notes_api.get("/notes", headers=as_one)).status_code == 200

    # A refreshed token has the old login. Deleting all notes requires a recent one (RFC 9470).
    refused = await notes_api.delete("/notes", headers=as_one)
    assert 'error="insufficient_user_authentication"' in refused.headers["WWW-Authenticate"]
    max_age = refused.headers["WWW-Authenticate"].partition('max_age="')[2].partition('"')[0]
    login_page = await one.authorize(scope=SCOPE, max_age=max_age)
    back_at_one = await browser.sign_in(login_page, username="ada@example.com", password="correct horse battery staple")
    tokens_of_one = (await one.token(answer_of(back_at_one)["code"])).json()
    as_one = {"Authorization": f"Bearer {tokens_of_one['access_token']}"}
    assert (await notes_api.delete("/notes", headers=as_one)).status_code == 204
    assert (await notes_api.get("/notes", headers=as_one)).json()["notes"] == []

    # One logout ends both clients' tokens.
    await browser.open(f"/logout?id_token_hint={tokens_of_one['id_token']}")
    for client, tokens in ((one, tokens_of_one), (two, tokens_of_two)):
        assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await client.userinfo(tokens["access_token"])).status_code == 401
        assert answer_of(await client.authorize(prompt="none"))["error"] == "login_required"

    # This API has not fetched the status list yet, so it accepts the access token until it expires.
    assert (await notes_api.get("/notes", headers=as_one)).status_code == 200
    auth.clock.advance(seconds=400)
    assert (await notes_api.get("/notes", headers=as_one)).status_code == 401
