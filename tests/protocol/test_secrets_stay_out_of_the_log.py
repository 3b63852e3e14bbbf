"""No log line contains a secret: the test runs the code flow at level DEBUG and searches for every secret."""

import json
from pathlib import Path

import httpx
import pytest

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, MASTER_KEY, NOTES, PASSWORD
from tests.support.log_lines import logging_as_served
from tests.support.network import Network
from tests.support.relying_party import CODE_VERIFIER, HtmlForm

pytestmark = pytest.mark.postgresql


async def test_no_secret_of_the_code_flow_is_in_the_log(
    auth_database_url: str, clock: MovableClock, tmp_path: Path
) -> None:
    notes_url = f"sqlite:///{tmp_path}/notes.db"
    migrate(notes_url, "resource_service.migrations")
    secrets: dict[str, str] = {"password": PASSWORD, "code_verifier": CODE_VERIFIER, "master key": MASTER_KEY}
    with logging_as_served("DEBUG") as log:
        async with running_auth_service(auth_database_url, clock) as auth:
            settings = Settings(audience=NOTES, issuer=ISSUER, database_url=notes_url)
            api = create_app(settings, clock, Network({ISSUER: auth.app}))
            async with api.router.lifespan_context(api):
                rp = auth.relying_party("app-one")
                secrets["client_secret"] = rp.client_secret or ""
                secrets["wrong password"] = "a slip of the fingers"

                page = await rp.authorize(scope="openid email offline_access notes:read")
                secrets["sealed request"] = HtmlForm.on(page).fields["request"] or ""
                refused = await rp.browser.sign_in(page, password=secrets["wrong password"])
                signed_in = await rp.browser.sign_in(refused)
                secrets["code"] = str(httpx.URL(signed_in.headers["location"]).params["code"])
                secrets |= {f"cookie {cookie.name}": cookie.value or "" for cookie in rp.browser.http.cookies.jar}

                assert (await rp.token(secrets["code"], code_verifier="b" * 43)).status_code == 400
                tokens = (await rp.token(secrets["code"])).json()
                again = (await rp.refresh(tokens["refresh_token"])).json()
                for name, answer in {"first": tokens, "second": again}.items():
                    secrets |= {f"{name} {kind}": answer[f"{kind}_token"] for kind in ("access", "refresh", "id")}

                bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                async with httpx.AsyncClient(transport=Network({NOTES: api}), base_url=NOTES) as notes:
                    assert (await notes.get("/notes", headers=bearer)).status_code == 200
                    for changed in (tokens["access_token"][:-8] + "AAAAAAAA", tokens["id_token"]):
                        answer = await notes.get("/notes", headers={"Authorization": f"Bearer {changed}"})
                        assert answer.status_code == 401
                    for path in (f"/{tokens['access_token']}", f"/notes/{tokens['access_token']}"):
                        assert (await notes.get(path, headers=bearer)).status_code == 404
                assert (await rp.userinfo(tokens["access_token"])).status_code == 200
                assert (await rp.introspect(tokens["access_token"])).status_code == 200
                assert (await rp.http.get(f"/callback/{again['refresh_token']}")).status_code == 404
                assert (await rp.http.get(f"/register/{again['refresh_token']}")).status_code == 401
                assert (await rp.token(secrets["code"])).status_code == 400  # a replay
                assert (await rp.revoke(again["refresh_token"])).status_code == 200
                assert (await rp.browser.open(f"/logout?id_token_hint={tokens['id_token']}")).status_code == 200
                rp.client_secret = secrets["wrong client_secret"] = "an unregistered secret that is long enough"
                assert (await rp.client_credentials()).status_code == 401
        text = log.getvalue()
        assert len(log.parsed) > 15  # each line is a JSON object
    assert all(len(secret) > 15 for secret in secrets.values())
    for kind, secret in secrets.items():
        for form in (
            secret,
            json.dumps(secret)[1:-1],
            secret.split(".")[-1],
        ):  # a token is useless without its signature
            assert form not in text, kind
    assert "\n\n" not in text
