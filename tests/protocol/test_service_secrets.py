"""Secrets are replaced while the service runs, and afterwards a thief of the old ones has nothing."""

import asyncio
import hashlib
import hmac
import re
import secrets
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from auth_service.http.signed_state import StateSigner
from auth_service.keys.bootstrap import load_secret
from auth_service.keys.generation import decrypt_key
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.service_secrets import FORM_KEY, REFRESH_KEY, rotate_secrets
from auth_service.store.keys import signing_keys, stored_secrets
from auth_service.store.schema.tables import token_families
from auth_service.tokens import access_token
from tallystick import base64url, jwt
from tallystick.claims import AccessTokenClaims
from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.command_line import CommandLine
from tests.support.declared import MASTER_KEY, declared_toml
from tests.support.relying_party import RelyingParty, claims_of, error_of
from tests.support.status_lists import provider_of
from tests.support.waiting import until

pytestmark = pytest.mark.postgresql

__all__ = ["trail"]

REFUSED = (400, "invalid_grant")
master_key = MasterKey.load(MASTER_KEY, may_create=False)


@pytest.fixture
def rp(auth: AuthService) -> RelyingParty:
    """A public client: there is no secret of its own that a thief would need."""
    return auth.relying_party("spa")


@dataclass
class Thief:
    """Holds a copy of the store and the master key of some time, and access tokens, which are no secret to an API."""

    rows: list[dict[str, Any]]
    refresh_keys: dict[int, bytes]

    @classmethod
    async def of(cls, auth: AuthService) -> "Thief":
        rows = await auth.store.read(_families)
        return cls(rows, await load_secret(auth.store, master_key, REFRESH_KEY))

    def guesses(self, tokens: dict[str, Any], client_id: str) -> list[str]:
        """Every refresh token that can be made for the family of an access token, of either format."""
        family_id = access_token.family_id_of(AccessTokenClaims.model_validate(claims_of(tokens["access_token"])))
        (row,) = [row for row in self.rows if row["family_id"] == family_id]
        known = [row["token_secret_hash"] or b"", family_id, bytes(32), row["refresh_key_version"].to_bytes(4)]
        guesses = []
        for generation in range(4):
            for version, key in self.refresh_keys.items():
                guesses.append(first_format(key, version, family_id, generation, client_id))
                guesses.extend(
                    second_format(key, version, family_id, generation, client_id, secret.ljust(32, b"\0"))
                    for secret in known
                )
        return guesses


def first_format(key: bytes, version: int, family_id: bytes, generation: int, client_id: str) -> str:
    body = struct.pack(">B16sI", version, family_id, generation)
    return base64url.encode(body + hmac.digest(key, body + client_id.encode(), "sha256"))


def second_format(key: bytes, version: int, family_id: bytes, generation: int, client_id: str, secret: bytes) -> str:
    body = struct.pack(">I16sI32s", version, family_id, generation, secret)
    return base64url.encode(body + hmac.digest(key, b"refresh token 2" + body + client_id.encode(), "sha256"))


def _families(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(token_families)).mappings()]


def _as_before_the_random_part(connection: Connection, family_id: bytes) -> None:
    of_it = token_families.c.family_id == family_id
    connection.execute(update(token_families).where(of_it).values(token_secret_hash=None, secret_since=None))


async def first_format_tokens(auth: AuthService, rp: RelyingParty, **changes: str) -> dict[str, Any]:
    """The tokens of a family as they were before refresh tokens had a random part."""
    tokens = await rp.tokens(**changes)
    family_id = access_token.family_id_of(AccessTokenClaims.model_validate(claims_of(tokens["access_token"])))
    await auth.store.write(_as_before_the_random_part, family_id)
    refresh_keys = await load_secret(auth.store, master_key, REFRESH_KEY)
    return tokens | {"refresh_token": first_format(refresh_keys[1], 1, family_id, 0, rp.client_id)}


async def refreshed(rp: RelyingParty, refresh_token: str) -> dict[str, Any]:
    response = await rp.refresh(refresh_token)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def replace_secrets(auth: AuthService, *, is_stolen: bool = False) -> None:
    """As `keys rotate-secrets` does, and until the running service has seen it."""
    await rotate_secrets(auth.store, master_key, auth.clock, is_stolen=is_stolen)
    newest = max(await load_secret(auth.store, master_key, REFRESH_KEY))
    await until(lambda: newest in provider_of(auth).secrets.versions(REFRESH_KEY))


async def test_refresh_tokens_cannot_be_computed_from_the_store_and_the_key(
    auth: AuthService, rp: RelyingParty
) -> None:
    tokens = await rp.tokens()
    tokens = await refreshed(rp, tokens["refresh_token"])
    thief = await Thief.of(auth)
    for guess in thief.guesses(tokens, rp.client_id):
        assert error_of(await rp.refresh(guess)) == REFUSED
        assert (await rp.revoke(guess)).status_code == 200  # which says nothing, and does nothing
    await refreshed(rp, tokens["refresh_token"])


async def test_a_computed_refresh_token_is_inactive_at_introspection(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    tokens = await rp.tokens()
    assert (await rp.introspect(tokens["refresh_token"])).json()["active"] is True
    for guess in (await Thief.of(auth)).guesses(tokens, rp.client_id):
        assert (await rp.introspect(guess)).json() == {"active": False}


async def test_a_family_without_a_refresh_token_has_none_that_could_be_computed(auth: AuthService) -> None:
    bot = auth.relying_party("bot")
    tokens = (await bot.client_credentials(scope="notes:read")).json()
    thief, public = await Thief.of(auth), auth.relying_party("spa")
    for guess in [*thief.guesses(tokens, "bot"), *thief.guesses(tokens, "spa")]:
        assert error_of(await public.refresh(guess)) == REFUSED


async def test_the_store_has_no_more_than_the_hash_of_the_random_part(auth: AuthService, rp: RelyingParty) -> None:
    secret = base64url.decode((await rp.tokens())["refresh_token"])[24:56]
    (row,) = await auth.store.read(_families)
    assert row["token_secret_hash"] == hashlib.sha256(secret).digest()
    assert secret not in row.values()


async def test_families_go_on_when_the_secrets_are_replaced(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for _ in range(2):
        await replace_secrets(auth)
        tokens = await refreshed(rp, tokens["refresh_token"])
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    (row,) = await auth.store.read(_families)
    assert row["refresh_key_version"] == 3


async def test_a_lost_answer_is_given_again_across_a_replacement(auth: AuthService, rp: RelyingParty) -> None:
    old = (await rp.tokens())["refresh_token"]
    new = (await refreshed(rp, old))["refresh_token"]
    await replace_secrets(auth)
    assert (await refreshed(rp, old))["refresh_token"] == new
    await refreshed(rp, new)


async def test_another_process_accepts_a_token_of_a_key_that_it_has_not_seen_yet(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with (
        running_auth_service(auth_database_url, clock) as here,
        running_auth_service(auth_database_url, clock) as there,
    ):
        token = (await here.relying_party("spa").tokens())["refresh_token"]
        await rotate_secrets(here.store, master_key, clock, is_stolen=False)
        await provider_of(here).secrets.load()
        token = (await refreshed(here.relying_party("spa"), token))["refresh_token"]
        await refreshed(there.relying_party("spa"), token)


async def test_another_process_repeats_an_answer_that_was_made_with_a_key_that_it_has_not_seen_yet(
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


async def test_the_old_key_makes_no_token_of_a_family_that_has_rotated_since(
    auth: AuthService, rp: RelyingParty
) -> None:
    """Not even for a thief who also has a spent refresh token, and so the random part."""
    spent = (await rp.tokens())["refresh_token"]
    thief, raw = await Thief.of(auth), base64url.decode(spent)
    await replace_secrets(auth)
    current = (await refreshed(rp, spent))["refresh_token"]
    forged = second_format(thief.refresh_keys[1], 1, raw[4:20], 1, rp.client_id, raw[24:56])
    assert error_of(await rp.refresh(forged)) == REFUSED
    await refreshed(rp, current)


class TestTheFirstFormat:
    async def test_it_is_traded_for_one_that_the_key_is_not_enough_for(
        self, auth: AuthService, rp: RelyingParty
    ) -> None:
        tokens = await refreshed(rp, (await first_format_tokens(auth, rp))["refresh_token"])
        thief, clock = await Thief.of(auth), auth.clock
        clock.advance(seconds=11)
        for guess in thief.guesses(tokens, rp.client_id):
            if base64url.decode(guess)[17:21] != bytes(4):  # that one is the spent token itself
                assert error_of(await rp.refresh(guess)) == REFUSED
        await refreshed(rp, tokens["refresh_token"])

    async def test_a_replay_of_it_ends_the_family(self, auth: AuthService, rp: RelyingParty) -> None:
        first = (await first_format_tokens(auth, rp))["refresh_token"]
        second = (await refreshed(rp, first))["refresh_token"]
        auth.clock.advance(seconds=11)
        assert error_of(await rp.refresh(first)) == REFUSED
        assert error_of(await rp.refresh(second)) == REFUSED

    @pytest.mark.parametrize("client_id", ["spa", "app-one"])
    async def test_a_second_answer_to_it_takes_the_place_of_the_first(self, auth: AuthService, client_id: str) -> None:
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

    async def test_it_survives_a_replacement_that_no_theft_caused(self, auth: AuthService, rp: RelyingParty) -> None:
        tokens = await first_format_tokens(auth, rp)
        await replace_secrets(auth)
        await refreshed(rp, tokens["refresh_token"])

    async def test_a_theft_ends_it_and_what_it_was_traded_for(
        self, auth: AuthService, rp: RelyingParty, trail: Trail
    ) -> None:
        """The thief may have been the one who traded it."""
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


class TestForms:
    async def test_a_page_that_was_open_can_still_be_sent(self, auth: AuthService, rp: RelyingParty) -> None:
        login = await rp.authorize()
        await replace_secrets(auth)
        assert (await rp.browser.sign_in(login)).headers["location"].startswith(rp.redirect_uri or "")

    async def test_after_a_theft_it_cannot(self, auth: AuthService, rp: RelyingParty) -> None:
        login = await rp.authorize()
        await replace_secrets(auth, is_stolen=True)
        assert (await rp.browser.sign_in(login)).status_code == 400
        assert "code=" in (await rp.sign_in()).headers["location"]


async def test_what_is_needed_no_longer_is_destroyed(auth: AuthService, clock: MovableClock) -> None:
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


async def test_a_token_of_no_known_key_is_refused(rp: RelyingParty) -> None:
    token = second_format(secrets.token_bytes(32), 2**32 - 1, bytes(16), 0, rp.client_id, bytes(32))
    for _ in range(3):
        assert error_of(await rp.refresh(token)) == REFUSED


DOCUMENT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")
RECIPE = DOCUMENT.partition("## A signing key was stolen\n")[2].partition("\n## ")[0]


async def test_the_documented_steps_after_a_theft_leave_the_thief_no_usable_secret(
    auth_database_url: str, tmp_path: Path
) -> None:
    """By the commands that stand there, while the service runs."""
    clock, file = MovableClock(int(time.time())), tmp_path / "master.key"
    file.write_text(MASTER_KEY)
    command_line = CommandLine(auth_database_url, tmp_path)
    command_line.config.write_text(declared_toml(auth_database_url, master_key=f"file:{file}"))
    commands = re.findall(r"^ +\$ \.venv/bin/python -m auth_service (.+) --config CONFIG$", RECIPE, flags=re.M)
    assert commands == ["keys withdraw --all", "keys rotate-secrets --stolen"]

    async with running_auth_service(auth_database_url, clock, master_key=f"file:{file}") as auth:
        rp = auth.relying_party("spa")
        tokens, open_page = await rp.tokens(), await auth.relying_party("third-party").authorize()
        thief = await Thief.of(auth)
        stolen_keys = {row.kid: decrypt_key(row, master_key) for row in await auth.store.read(signing_keys.load_all)}
        stolen_form_keys = await load_secret(auth.store, master_key, FORM_KEY)

        for command in commands:
            ended = await asyncio.to_thread(command_line.run, *command.split())
            assert (ended.status, ended.errors) == (0, "")
        new = base64url.encode(bytes(range(32)))
        file.write_text(f"{new}\n{MASTER_KEY}\n")
        assert (await asyncio.to_thread(command_line.run, "keys", "re-encrypt")).status == 0
        file.write_text(f"{new}\n")
        # The commands date by the real clock, and may have taken long.
        clock.advance(seconds=int(time.time()) - clock.now + 10)
        await until(lambda: 1 not in provider_of(auth).secrets.versions(FORM_KEY))

        for guess in thief.guesses(tokens, rp.client_id):
            assert error_of(await rp.refresh(guess)) == REFUSED
        claims = claims_of(tokens["access_token"]) | {"iat": clock.now, "exp": clock.now + 300}
        for key in stolen_keys.values():
            if key.alg == "ES256":
                assert (await rp.userinfo(jwt.sign(claims, key, typ="at+jwt"))).status_code == 401
        jwks = (await auth.http().get("/jwks")).json()["keys"]
        assert jwks
        assert stolen_keys.keys().isdisjoint(key["kid"] for key in jwks)
        signer = StateSigner(lambda: list(stolen_form_keys.values()), clock)
        forged = signer.csrf_token("sid", "consent", "subject")
        assert signer.check_csrf_token(forged, "sid", "consent", "subject")
        assert not provider_of(auth).state_signer.check_csrf_token(forged, "sid", "consent", "subject")
        for sealed in (await auth.store.read(stored_secrets.load_secrets)).items():
            with pytest.raises(WrongMasterKey):
                master_key.decrypt(sealed[1], name=" ".join(map(str, sealed[0])))

        # The owner goes on, with the refresh token from before.
        tokens = await refreshed(rp, tokens["refresh_token"])
        assert (await rp.userinfo(tokens["access_token"])).status_code == 200
        assert 'id="sign-in"' in open_page.text
        assert "code=" in (await rp.authorize(prompt="none")).headers["location"]
