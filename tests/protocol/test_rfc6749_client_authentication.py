"""Client authentication at the token endpoint (RFC 6749 §2.3): the one method that the client is registered with."""

import base64
from urllib.parse import quote_plus

import httpx
import pytest

from auth_service.store.clients import clients
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ODD_CLIENT_ID, ODD_SECRET, secret_of
from tests.support.relying_party import basic, error_of

GRANT = {"grant_type": "client_credentials"}
BOT = {"client_id": "bot", "client_secret": secret_of("bot")}
GOOD_BASIC = basic("bot", secret_of("bot"))


async def ask(auth: AuthService, *authorization: str, **fields: str) -> httpx.Response:
    headers = [("Authorization", value) for value in authorization]
    return await auth.http().post("/token", data=GRANT | fields, headers=headers)


async def test_client_secret_basic_is_accepted(auth: AuthService) -> None:
    assert (await ask(auth, GOOD_BASIC)).status_code == 200
    assert (await ask(auth, GOOD_BASIC, client_id="bot")).status_code == 200
    assert (await ask(auth, GOOD_BASIC.replace("Basic", "bAsIc"))).status_code == 200


async def test_client_secret_post_is_accepted(auth: AuthService) -> None:
    rp = auth.relying_party("app-two")
    assert (await rp.token(await rp.authorization_code())).status_code == 200


async def test_public_client_authenticates_with_none(auth: AuthService) -> None:
    rp = auth.relying_party("spa")
    assert (await rp.token(await rp.authorization_code())).status_code == 200


async def test_form_encoded_basic_credentials_are_decoded(auth: AuthService) -> None:
    assert (await ask(auth, basic(ODD_CLIENT_ID, ODD_SECRET))).status_code == 200


@pytest.mark.parametrize(
    "secret", ["a+secret+with+plus+signs/and=base64+chars", "100%25 of a secret %zz%ff that is long"]
)
async def test_basic_credentials_that_are_not_form_encoded_are_accepted_as_sent(
    auth_sqlite_url: str, clock: MovableClock, secret: str
) -> None:
    raw = {"client_id": "raw+client", "client_secret": secret, "grant_types": ["client_credentials"]}
    async with running_auth_service(auth_sqlite_url, clock, client=[raw | {"scope": "notes:read"}]) as auth:
        for sent in (f"raw+client:{secret}", f"{quote_plus('raw+client')}:{quote_plus(secret)}"):
            response = await ask(auth, "Basic " + base64.b64encode(sent.encode()).decode())
            assert response.status_code == 200, response.text
        wrong = await ask(auth, "Basic " + base64.b64encode(f"raw+client:{secret}x".encode()).decode())
        assert error_of(wrong) == (401, "invalid_client")


@pytest.mark.parametrize(
    "authorization",
    [
        basic("bot", "the secret of another client, never guessed"),
        basic("bot", ""),
        basic("nobody", secret_of("bot")),
        basic("", ""),
        basic("app-two", secret_of("app-two")),  # client_secret_post
        basic("spa", ""),  # none
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"bot").decode(),
        "Basic " + base64.b64encode(b"bot:\xff").decode(),
        "Basic " + base64.b64encode(b"bot:%FF").decode(),
        "Basic " + base64.b64encode(b"bot:%00").decode(),
        "Bearer " + secret_of("bot"),
        "Digest username=bot",
        GOOD_BASIC + "!",
    ],
)
async def test_wrong_basic_credentials_are_invalid_client_with_a_challenge(
    auth: AuthService, authorization: str
) -> None:
    response = await ask(auth, authorization)
    assert error_of(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "fields",
    [
        BOT,  # client_secret_basic
        {"client_id": "bot"},
        {"client_secret": secret_of("bot")},
        {"client_id": "app-two", "client_secret": "of another client"},
        {"client_id": "app-two"},
        {"client_id": "spa", "client_secret": "x" * 43},
        {"client_id": "nobody", "client_secret": "x" * 43},
        {"client_id": "nobody"},
        {"client_id": "bot\ud800".encode("utf-8", "surrogatepass").decode("latin-1")},
        {},
    ],
)
async def test_wrong_credentials_in_the_body_are_invalid_client(auth: AuthService, fields: dict[str, str]) -> None:
    assert error_of(await ask(auth, **fields)) == (401, "invalid_client")


async def test_unknown_client_and_wrong_secret_have_the_same_response(auth: AuthService) -> None:
    unknown = await ask(auth, basic("nobody", secret_of("bot")))
    wrong = await ask(auth, basic("bot", secret_of("nobody")))
    assert (unknown.status_code, unknown.content) == (wrong.status_code, wrong.content)


async def test_several_credentials_are_an_invalid_request(auth: AuthService) -> None:
    for response in (
        await ask(auth, GOOD_BASIC, **BOT),
        await ask(auth, GOOD_BASIC, client_secret=secret_of("bot")),
        await ask(auth, GOOD_BASIC, client_id="app-one"),
        await ask(auth, GOOD_BASIC, GOOD_BASIC),
    ):
        assert error_of(response) == (400, "invalid_request")


async def test_disabled_client_is_refused_until_it_is_enabled_again(auth: AuthService) -> None:
    rp = auth.relying_party("bot")
    tokens = (await rp.client_credentials()).json()
    await auth.store.write(clients.disable_client, "bot", by="command", now=auth.clock())
    await auth.look_again()
    assert error_of(await rp.client_credentials()) == (401, "invalid_client")
    await auth.store.write(clients.enable_client, "bot", by="command", now=auth.clock())
    await auth.look_again()
    assert (await rp.client_credentials()).status_code == 200
    assert (await rp.introspect(tokens["access_token"])).json() == {"active": False}


async def test_tokens_and_codes_of_a_disabled_client_are_invalid(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    code, tokens = await rp.authorization_code(), await rp.tokens()
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    # Also while this process has the client in its cache.
    assert (await rp.refresh(tokens["refresh_token"])).status_code in (400, 401)
    assert (await rp.token(code)).status_code in (400, 401)
    await auth.store.write(clients.enable_client, "app-one", by="command", now=auth.clock())
    await auth.look_again()
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
