"""The steps in docs/keys.md after a theft of keys."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from auth_service.http.signed_state import StateSigner
from auth_service.keys.bootstrap import load_secret
from auth_service.keys.generation import decrypt_key
from auth_service.keys.master_key import WrongMasterKey
from auth_service.keys.service_secrets import FORM_KEY
from auth_service.store.keys import signing_keys, stored_secrets
from tallystick import base64url, jwt
from tests.support.auth_service import running_auth_service
from tests.support.clock import MovableClock
from tests.support.command_line import CommandLine
from tests.support.declared import MASTER_KEY, declared_toml
from tests.support.relying_party import claims_of, error_of
from tests.support.status_lists import provider_of
from tests.support.stolen_secrets import (
    StolenCopy,
    master_key,
    refreshed,
)
from tests.support.waiting import until

pytestmark = pytest.mark.postgresql

REFUSED = (400, "invalid_grant")

DOCUMENT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")
RECIPE = DOCUMENT.partition("## A signing key was stolen\n")[2].partition("\n## ")[0]


async def test_the_documented_steps_leave_the_attacker_no_usable_secret(auth_database_url: str, tmp_path: Path) -> None:
    """The commands are read from the document and run against the running service."""
    clock, file = MovableClock(int(time.time())), tmp_path / "master.key"
    file.write_text(MASTER_KEY)
    command_line = CommandLine(auth_database_url, tmp_path)
    command_line.config.write_text(declared_toml(auth_database_url, master_key=f"file:{file}"))
    commands = re.findall(r"^ +\$ \.venv/bin/python -m auth_service (.+) --config CONFIG$", RECIPE, flags=re.M)
    assert commands == ["keys withdraw --all", "keys rotate-secrets --stolen"]

    async with running_auth_service(auth_database_url, clock, master_key=f"file:{file}") as auth:
        rp = auth.relying_party("spa")
        tokens, open_page = await rp.tokens(), await auth.relying_party("third-party").authorize()
        stolen = await StolenCopy.take(auth)
        stolen_keys = {row.kid: decrypt_key(row, master_key) for row in await auth.store.read(signing_keys.load_all)}
        stolen_form_keys = await load_secret(auth.store, master_key, FORM_KEY)

        for command in commands:
            ended = await asyncio.to_thread(command_line.run, *command.split())
            assert (ended.status, ended.errors) == (0, "")
        new = base64url.encode(bytes(range(32)))
        file.write_text(f"{new}\n{MASTER_KEY}\n")
        assert (await asyncio.to_thread(command_line.run, "keys", "re-encrypt")).status == 0
        file.write_text(f"{new}\n")
        # The commands use the real clock, and may take long on a busy machine.
        clock.advance(seconds=int(time.time()) - clock.now + 10)
        await until(lambda: 1 not in provider_of(auth).secrets.versions(FORM_KEY))

        for guess in stolen.computable_tokens(tokens, rp.client_id):
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
        for (name, version), encrypted in (await auth.store.read(stored_secrets.load_secrets)).items():
            with pytest.raises(WrongMasterKey):
                master_key.decrypt(encrypted, name=f"{name} {version}")

        # The honest client can still use the refresh token from before.
        tokens = await refreshed(rp, tokens["refresh_token"])
        assert (await rp.userinfo(tokens["access_token"])).status_code == 200
        assert 'id="sign-in"' in open_page.text
        assert "code=" in (await rp.authorize(prompt="none")).headers["location"]
