"""A revocation reaches the running notes API. status_policy decides about an unknown status."""

from pathlib import Path

import pytest

from resource_service.settings import Settings
from tallystick_service.settings import Misconfigured
from tallystick_service.settings.settings import read_settings
from tests.support.notes_api import NotesApi, running_notes_api
from tests.support.token_issuer import status
from tests.support.waiting import until_it_is


async def test_revoked_token_gets_invalid_token_and_its_neighbour_is_served(quick_api: NotesApi) -> None:
    published = quick_api.issuer.publish_list()
    mine, neighbour = (quick_api.caller("ada", status=status(idx)) for idx in (9, 10))
    assert [(await caller.get("/notes")).status_code for caller in (mine, neighbour)] == [200, 200]
    quick_api.clock.advance(seconds=1)
    published.revoke(9)

    async def is_refused() -> bool:
        return (await mine.get("/notes")).status_code == 401

    await until_it_is(is_refused)
    response = await mine.get("/notes")
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert (await neighbour.get("/notes")).status_code == 200


@pytest.mark.parametrize(("policy", "answer", "readiness"), [("serve_until_exp", 200, 200), ("fail_closed", 503, 503)])
async def test_policy_decides_about_an_unknown_status(tmp_path: Path, policy: str, answer: int, readiness: int) -> None:
    async with running_notes_api(f"sqlite:///{tmp_path}/notes.db", status_policy=policy, status_max_age=20) as api:
        api.issuer.publish_list()
        ada = api.caller("ada", status=status(9))
        assert (await ada.get("/notes")).status_code == 200
        assert (await api.anyone().get("/readyz")).status_code == 200
        api.issuer.is_away = True
        api.clock.advance(seconds=21)
        response = await ada.get("/notes")
        assert response.status_code == answer
        assert ("Retry-After" in response.headers) == (answer == 503)
        ready = await api.anyone().get("/readyz")
        assert (ready.status_code, ready.headers["Cache-Control"]) == (readiness, "no-store")
        assert (await api.caller("bob").get("/notes")).status_code == 200  # a token without a status


@pytest.mark.parametrize(
    "line", ['status_policy = "open"', "status_max_age = 0", 'status_max_age = "long"', "status_files = 5"]
)
def test_invalid_status_policy_is_refused_at_start(tmp_path: Path, line: str) -> None:
    file = tmp_path / "resource.toml"
    file.write_text(f'audience = "http://localhost:8001"\nissuer = "http://localhost:8000"\n{line}\n')
    with pytest.raises(Misconfigured, match="status_"):
        read_settings(Settings, file, env_prefix="RESOURCE_", environment={})
