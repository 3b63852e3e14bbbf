"""Deleting all notes requires a login within the last five minutes (RFC 9470)."""

import pytest

from tests.support.notes_api import APP_ORIGIN, NotesApi
from tests.support.token_issuer import ABSENT

NOTE = {"title": "Tally", "body": ""}


async def titles(api: NotesApi) -> list[str]:
    return [note["title"] for note in (await api.caller("ada").get("/notes")).json()["notes"]]


@pytest.mark.parametrize("age", [0, 299, 300, -60])
async def test_recent_login_deletes_all(quick_api: NotesApi, age: int) -> None:
    ada = quick_api.caller("ada", auth_time=quick_api.clock.now - age)
    await ada.post("/notes", json=NOTE)
    assert (await ada.delete("/notes")).status_code == 204
    assert await titles(quick_api) == []


@pytest.mark.parametrize("age", [301, 86_400, -61, None])
async def test_old_or_missing_login_deletes_nothing_and_gets_a_challenge(api: NotesApi, age: int | None) -> None:
    ada = api.caller("ada", auth_time=ABSENT if age is None else api.clock.now - age)
    await ada.post("/notes", json=NOTE)
    refused = await ada.delete("/notes")
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication"')
    assert ', max_age="300"' in challenge
    assert await titles(api) == ["Tally"]


async def test_login_becomes_too_old_while_its_token_is_valid(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada", auth_time=quick_api.clock.now, exp=quick_api.clock.now + 3600)
    quick_api.clock.advance(seconds=300)
    assert (await ada.delete("/notes")).status_code == 204
    quick_api.clock.advance(seconds=1)
    assert (await ada.delete("/notes")).status_code == 401


async def test_client_without_a_user_has_no_login_and_deletes_single_notes(quick_api: NotesApi) -> None:
    program = quick_api.caller("notes-bot", client_id="notes-bot")
    place = (await program.post("/notes", json=NOTE)).headers["Location"]
    assert (await program.delete("/notes")).status_code == 401
    assert (await program.delete(place)).status_code == 204


async def test_other_operations_need_no_recent_login(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada", auth_time=0)
    place = (await ada.post("/notes", json=NOTE)).headers["Location"]
    assert (await ada.put(place, json=NOTE)).status_code == 200
    assert (await ada.delete(place)).status_code == 204


async def test_cross_origin_script_may_read_the_challenge(quick_api: NotesApi) -> None:
    token = quick_api.issuer.access_token(sub="ada", scope="notes:write")
    script = quick_api.anyone(Authorization=f"Bearer {token}", Origin=APP_ORIGIN)
    refused = await script.delete("/notes")
    assert "insufficient_user_authentication" in refused.headers["WWW-Authenticate"]
    assert "www-authenticate" in refused.headers["Access-Control-Expose-Headers"].lower()
