"""Native apps (RFC 8252): any program on the device could impersonate one, so the user is always asked."""

import pytest

from auth_service.store.users import consents, users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import EMAIL, clients_with, secret_of
from tests.support.relying_party import RelyingParty, answer_of


@pytest.fixture
def native(auth: AuthService) -> RelyingParty:
    return auth.relying_party("native")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:51004/callback",
        "http://[::1]:1234/callback",
        "http://[::1]:51004/callback",
        "com.example.native:/callback",
    ],
)
async def test_the_port_of_a_loopback_address_may_vary(native: RelyingParty, redirect_uri: str) -> None:
    code = await native.authorization_code(redirect_uri=redirect_uri)
    assert (await native.token(code, redirect_uri=redirect_uri)).status_code == 200


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://localhost:51004/callback",
        "http://127.0.0.2:51004/callback",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/callback?x=1",
        "http://127.0.0.1:510040/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:51004@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "https://127.0.0.1:51004/callback",
        "com.example.native:/other",
        "com.example.native://callback",
    ],
)
async def test_every_other_part_of_a_loopback_address_must_match(native: RelyingParty, redirect_uri: str) -> None:
    assert "registered" in (await native.authorize(redirect_uri=redirect_uri)).text


async def test_a_code_is_bound_to_the_port_of_the_redirect_uri(native: RelyingParty) -> None:
    code = await native.authorization_code(redirect_uri="http://127.0.0.1:51004/callback")
    assert (await native.token(code, redirect_uri="http://127.0.0.1:51005/callback")).status_code == 400


async def test_the_port_of_other_redirect_uris_may_not_vary(rp: RelyingParty) -> None:
    assert "registered" in (await rp.authorize(redirect_uri="https://app-one.example.org:8443/callback")).text


async def test_the_loopback_port_of_a_confidential_web_client_may_not_vary(auth_sqlite_url: str) -> None:
    web = clients_with({"app-one": {"redirect_uris": ["http://127.0.0.1:8011/callback"]}})
    async with running_auth_service(auth_sqlite_url, client=web) as auth:
        rp = auth.relying_party("app-one")
        assert "registered" in (await rp.authorize(redirect_uri="http://127.0.0.1:8012/callback")).text
        assert (await rp.token(await rp.authorization_code())).status_code == 200


async def test_a_first_party_native_app_needs_consent_every_time(native: RelyingParty) -> None:
    page = await native.sign_in()
    for _ in range(2):
        assert "A program on this device is asking" in page.text
        assert "code" in answer_of(await native.browser.allow(page))
        page = await native.authorize()


async def test_a_web_client_on_localhost_is_called_a_website_and_needs_consent_every_time(auth: AuthService) -> None:
    in_development = auth.relying_party("spa-in-development")
    page = await in_development.sign_in()
    for _ in range(2):
        assert "A website that runs on this device is asking" in page.text
        assert "could answer at\n  <bdi>localhost:3000</bdi>" in page.text
        assert "code" in answer_of(await in_development.browser.allow(page))
        page = await in_development.authorize()


async def test_a_native_app_cannot_sign_in_with_prompt_none(native: RelyingParty) -> None:
    await native.authorization_code()
    assert answer_of(await native.authorize(prompt="none"))["error"] == "consent_required"


async def test_a_first_party_web_app_with_a_secret_needs_no_consent(rp: RelyingParty) -> None:
    assert "code" in answer_of(await rp.sign_in())


async def test_consent_to_a_native_app_is_not_stored(auth: AuthService, native: RelyingParty) -> None:
    await native.authorization_code()
    sub = await auth.store.read(users.find_sub, EMAIL)
    assert not await auth.store.read(consents.find_consented_scopes, sub or "", "native")


async def test_a_private_use_scheme_needs_consent_every_time_even_with_a_client_secret(auth_sqlite_url: str) -> None:
    """Another program with the same scheme could pass the code to the server that has the secret (RFC 8252 §8.6)."""
    app = {
        "client_id": "photos",
        "client_secret": secret_of("photos"),
        "application_type": "native",
        "redirect_uris": ["https://photos.example.org/callback", "app.photos:///callback"],
        "scope": "openid",
        "first_party": True,
    }
    async with running_auth_service(auth_sqlite_url, client=[app]) as auth:
        rp = auth.relying_party("photos")
        assert "code" in answer_of(await rp.sign_in(scope="openid"))
        page = await rp.authorize(scope="openid", redirect_uri="app.photos:///callback")
        assert "A program on this device is asking" in page.text
        assert "code" in answer_of(await rp.browser.allow(page))
