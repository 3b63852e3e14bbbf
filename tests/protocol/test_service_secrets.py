"""The secrets behind refresh tokens and forms are replaced while the service runs."""

import secrets

import pytest

from auth_service.keys.service_secrets import FORM_KEY, REFRESH_KEY, rotate_secrets
from auth_service.store.keys import stored_secrets
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty, error_of
from tests.support.status_lists import provider_of
from tests.support.stolen_secrets import families, master_key, refreshed, replace_secrets, second_format

pytestmark = pytest.mark.postgresql

REFUSED = (400, "invalid_grant")


@pytest.fixture
def rp(auth: AuthService) -> RelyingParty:
    """A public client: an attacker needs no client secret."""
    return auth.relying_party("spa")


async def test_families_go_on_when_the_secrets_are_replaced(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for wait_for_task in (True, False):
        await replace_secrets(auth, wait_for_task=wait_for_task)
        tokens = await refreshed(rp, tokens["refresh_token"])
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    (row,) = await auth.store.read(families)
    assert row["refresh_key_version"] == 3


async def test_a_lost_response_is_repeated_after_a_replacement(auth: AuthService, rp: RelyingParty) -> None:
    old = (await rp.tokens())["refresh_token"]
    new = (await refreshed(rp, old))["refresh_token"]
    await replace_secrets(auth)
    assert (await refreshed(rp, old))["refresh_token"] == new
    await refreshed(rp, new)


async def test_another_process_accepts_a_token_of_a_new_key(auth_database_url: str, clock: MovableClock) -> None:
    async with (
        running_auth_service(auth_database_url, clock) as here,
        running_auth_service(auth_database_url, clock) as there,
    ):
        token = (await here.relying_party("spa").tokens())["refresh_token"]
        await rotate_secrets(here.store, master_key, clock, is_stolen=False)
        await provider_of(here).secrets.load()
        token = (await refreshed(here.relying_party("spa"), token))["refresh_token"]
        await refreshed(there.relying_party("spa"), token)


async def test_another_process_repeats_a_response_made_with_a_new_key(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with (
        running_auth_service(auth_database_url, clock) as here,
        running_auth_service(auth_database_url, clock) as there,
    ):
        old = (await here.relying_party("spa").tokens())["refresh_token"]
        await rotate_secrets(here.store, master_key, clock, is_stolen=False)
        await provider_of(here).secrets.load()
        new = (await refreshed(here.relying_party("spa"), old))["refresh_token"]
        assert (await refreshed(there.relying_party("spa"), old))["refresh_token"] == new


class TestForms:
    async def test_an_open_form_can_be_sent_after_a_replacement(self, auth: AuthService, rp: RelyingParty) -> None:
        login = await rp.authorize()
        await replace_secrets(auth)
        assert (await rp.browser.sign_in(login)).headers["location"].startswith(rp.redirect_uri or "")

    async def test_an_open_form_is_refused_after_a_theft(self, auth: AuthService, rp: RelyingParty) -> None:
        login = await rp.authorize()
        await replace_secrets(auth, is_stolen=True)
        assert (await rp.browser.sign_in(login)).status_code == 400
        assert "code=" in (await rp.sign_in()).headers["location"]


async def test_expired_versions_are_destroyed(auth: AuthService, clock: MovableClock) -> None:
    await replace_secrets(auth)
    service_secrets = provider_of(auth).secrets
    clock.advance(seconds=3600 + 59)
    await service_secrets.maintain()
    assert set(await auth.store.read(stored_secrets.load_secrets)) == {
        (name, version) for name in (REFRESH_KEY, FORM_KEY) for version in (1, 2)
    }
    clock.advance(seconds=1)
    await service_secrets.maintain()
    assert (FORM_KEY, 1) not in await auth.store.read(stored_secrets.load_secrets)
    clock.advance(seconds=auth.settings.lifetimes.refresh_token_family)
    await service_secrets.maintain()
    assert set(await auth.store.read(stored_secrets.load_secrets)) == {(REFRESH_KEY, 2), (FORM_KEY, 2)}


async def test_a_token_with_an_unknown_version_is_refused(rp: RelyingParty) -> None:
    token = second_format(secrets.token_bytes(32), 2**32 - 1, bytes(16), 0, rp.client_id, bytes(32))
    for _ in range(3):
        assert error_of(await rp.refresh(token)) == REFUSED
