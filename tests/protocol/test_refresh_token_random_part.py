"""A refresh token cannot be computed from the store and the keys, because it has a random part (ADR 33)."""

import hashlib

import pytest

from auth_service.keys.service_secrets import rotate_secrets
from tallystick import base64url
from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import AuthService
from tests.support.relying_party import RelyingParty, error_of
from tests.support.stolen_secrets import (
    StolenCopy,
    families,
    first_format_tokens,
    master_key,
    refreshed,
    replace_secrets,
    second_format,
)

__all__ = ["trail"]

pytestmark = pytest.mark.postgresql

REFUSED = (400, "invalid_grant")


@pytest.fixture
def rp(auth: AuthService) -> RelyingParty:
    """A public client: an attacker needs no client secret."""
    return auth.relying_party("spa")


async def test_refresh_tokens_cannot_be_computed_from_the_store_and_the_key(
    auth: AuthService, rp: RelyingParty
) -> None:
    tokens = await rp.tokens()
    tokens = await refreshed(rp, tokens["refresh_token"])
    stolen = await StolenCopy.take(auth)
    for guess in stolen.computable_tokens(tokens, rp.client_id):
        assert error_of(await rp.refresh(guess)) == REFUSED
        assert (await rp.revoke(guess)).status_code == 200  # RFC 7009 §2.2; it revokes nothing
    await refreshed(rp, tokens["refresh_token"])


async def test_a_computed_refresh_token_is_inactive_at_introspection(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    tokens = await rp.tokens()
    assert (await rp.introspect(tokens["refresh_token"])).json()["active"] is True
    for guess in (await StolenCopy.take(auth)).computable_tokens(tokens, rp.client_id):
        assert (await rp.introspect(guess)).json() == {"active": False}


async def test_no_refresh_token_can_be_computed_for_a_family_without_one(auth: AuthService) -> None:
    bot = auth.relying_party("bot")
    tokens = (await bot.client_credentials(scope="notes:read")).json()
    stolen, public = await StolenCopy.take(auth), auth.relying_party("spa")
    for guess in [*stolen.computable_tokens(tokens, "bot"), *stolen.computable_tokens(tokens, "spa")]:
        assert error_of(await public.refresh(guess)) == REFUSED


async def test_the_store_has_only_the_hash_of_the_random_part(auth: AuthService, rp: RelyingParty) -> None:
    secret = base64url.decode((await rp.tokens())["refresh_token"])[24:56]
    (row,) = await auth.store.read(families)
    assert row["token_secret_hash"] == hashlib.sha256(secret).digest()
    assert secret not in row.values()


async def test_the_old_key_computes_no_token_of_a_family_that_has_rotated_since(
    auth: AuthService, rp: RelyingParty
) -> None:
    """Not even with a spent refresh token, which has the random part."""
    spent = (await rp.tokens())["refresh_token"]
    stolen, raw = await StolenCopy.take(auth), base64url.decode(spent)
    await replace_secrets(auth)
    current = (await refreshed(rp, spent))["refresh_token"]
    forged = second_format(stolen.refresh_keys[1], 1, raw[4:20], 1, rp.client_id, raw[24:56])
    assert error_of(await rp.refresh(forged)) == REFUSED
    await refreshed(rp, current)


class TestFirstFormat:
    async def test_it_is_traded_for_one_with_a_random_part(self, auth: AuthService, rp: RelyingParty) -> None:
        tokens = await refreshed(rp, (await first_format_tokens(auth, rp))["refresh_token"])
        stolen, clock = await StolenCopy.take(auth), auth.clock
        clock.advance(seconds=11)
        for guess in stolen.computable_tokens(tokens, rp.client_id):
            if base64url.decode(guess)[17:21] != bytes(4):  # generation 0 is the spent token itself
                assert error_of(await rp.refresh(guess)) == REFUSED
        await refreshed(rp, tokens["refresh_token"])

    async def test_a_replay_revokes_the_family(self, auth: AuthService, rp: RelyingParty) -> None:
        first = (await first_format_tokens(auth, rp))["refresh_token"]
        second = (await refreshed(rp, first))["refresh_token"]
        auth.clock.advance(seconds=11)
        assert error_of(await rp.refresh(first)) == REFUSED
        assert error_of(await rp.refresh(second)) == REFUSED

    @pytest.mark.parametrize("client_id", ["spa", "app-one"])
    async def test_a_repeated_response_replaces_the_first(self, auth: AuthService, client_id: str) -> None:
        rp = auth.relying_party(client_id)
        first = (await first_format_tokens(auth, rp))["refresh_token"]
        lost, kept = [(await refreshed(rp, first))["refresh_token"] for _ in range(2)]
        assert error_of(await rp.refresh(first)) == REFUSED
        assert error_of(await rp.refresh(lost)) == REFUSED
        await refreshed(rp, kept)

    async def test_its_client_can_revoke_and_introspect_it(self, auth: AuthService) -> None:
        rp = auth.relying_party("app-one")
        token = (await first_format_tokens(auth, rp))["refresh_token"]
        assert (await rp.introspect(token)).json()["active"] is True
        assert (await rp.revoke(token)).status_code == 200
        assert error_of(await rp.refresh(token)) == REFUSED

    async def test_it_stays_valid_after_a_replacement_without_a_theft(
        self, auth: AuthService, rp: RelyingParty
    ) -> None:
        tokens = await first_format_tokens(auth, rp)
        await replace_secrets(auth)
        await refreshed(rp, tokens["refresh_token"])

    async def test_a_theft_revokes_its_family_also_after_a_trade(
        self, auth: AuthService, rp: RelyingParty, trail: Trail
    ) -> None:
        """An attacker may have traded it."""
        traded = await refreshed(rp, (await first_format_tokens(auth, rp))["refresh_token"])
        first = await first_format_tokens(auth, rp)
        honest = await rp.tokens()
        await trail.new()
        assert await rotate_secrets(auth.store, master_key, auth.clock, is_stolen=True) == 1 + 1
        (entry,) = await trail.new()
        assert (entry.event, entry.detail["families_ended"]) == ("secrets_rotated", 2)
        assert entry.detail["secrets"] == ["form_key 2", "refresh_key 2"]
        for ended in (traded, first):
            assert error_of(await rp.refresh(ended["refresh_token"])) == REFUSED
            assert (await rp.userinfo(ended["access_token"])).status_code == 401
        await refreshed(rp, honest["refresh_token"])
