"""The notes API: callers see only their own notes, limited by their scope."""

from uuid import UUID

import httpx
import pytest

from tests.support.notes_api import NotesApi

NOTE = {"title": "Tally", "body": "Split lengthwise."}
NO_NOTE = "/notes/01900000-0000-7000-8000-000000000000"


async def add(client: httpx.AsyncClient, **changes: str) -> str:
    """The path of the new note."""
    response = await client.post("/notes", json=NOTE | changes)
    assert response.status_code == 201, response.text
    return response.headers["Location"]


async def test_created_note_is_at_its_location(api: NotesApi) -> None:
    ada = api.caller("ada")
    created = await ada.post("/notes", json=NOTE)
    assert created.status_code == 201
    assert created.headers["Location"] == f"/notes/{created.json()['id']}"
    found = await ada.get(created.headers["Location"])
    assert found.status_code == 200
    assert found.json() == created.json()
    assert found.json() == NOTE | {
        "id": created.json()["id"],
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z",
    }


async def test_missing_body_is_empty(quick_api: NotesApi) -> None:
    created = await quick_api.caller().post("/notes", json={"title": "Only a title"})
    assert (created.status_code, created.json()["body"]) == (201, "")


async def test_put_replaces_the_whole_note(api: NotesApi) -> None:
    ada = api.caller("ada")
    place = await add(ada)
    api.clock.advance(seconds=60)
    replaced = await ada.put(place, json={"title": "Notched"})
    assert replaced.status_code == 200
    assert (replaced.json()["title"], replaced.json()["body"]) == ("Notched", "")
    assert replaced.json()["created_at"] == "2027-01-15T08:00:00Z"
    assert replaced.json()["updated_at"] == "2027-01-15T08:01:00Z"
    assert (await ada.get(place)).json() == replaced.json()


async def test_deleted_note_is_not_found(api: NotesApi) -> None:
    ada = api.caller("ada")
    place = await add(ada)
    assert (await ada.delete(place)).status_code == 204
    assert (await ada.get(place)).status_code == 404
    assert (await ada.delete(place)).status_code == 404


async def test_note_of_another_owner_is_answered_like_a_missing_one(api: NotesApi) -> None:
    ada, eve = api.caller("ada"), api.caller("eve")
    place = await add(ada)
    for method, body in (("GET", None), ("PUT", NOTE), ("DELETE", None)):
        others, missing = await eve.request(method, place, json=body), await eve.request(method, NO_NOTE, json=body)
        assert others.status_code == missing.status_code == 404
        assert others.content == missing.content
    assert (await eve.get("/notes")).json()["notes"] == []
    assert (await ada.get(place)).json()["title"] == NOTE["title"]


async def test_delete_all_deletes_only_the_notes_of_the_caller(api: NotesApi) -> None:
    ada, bob = api.caller("ada", auth_time=api.clock.now), api.caller("bob")
    for client in (ada, ada, bob):
        await add(client)
    assert (await ada.delete("/notes")).status_code == 204
    assert (await ada.get("/notes")).json()["notes"] == []
    assert len((await bob.get("/notes")).json()["notes"]) == 1
    assert (await ada.delete("/notes")).status_code == 204


async def test_service_has_its_own_notes(api: NotesApi) -> None:
    service, ada = api.caller("notes-bot", client_id="notes-bot"), api.caller("ada", client_id="notes-bot")
    place = await add(service)
    assert (await service.get(place)).status_code == 200
    assert (await ada.get(place)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/notes", "notes:read", 200),
        ("GET", "/notes", "notes:write", 403),
        ("GET", NO_NOTE, "notes:read", 404),
        ("GET", NO_NOTE, "notes:write", 403),
        ("POST", "/notes", "notes:write", 201),
        ("POST", "/notes", "notes:read", 403),
        ("PUT", NO_NOTE, "notes:write", 404),
        ("PUT", NO_NOTE, "notes:read", 403),
        ("DELETE", NO_NOTE, "notes:write", 404),
        ("DELETE", NO_NOTE, "notes:read", 403),
        ("DELETE", "/notes", "notes:write", 204),
        ("DELETE", "/notes", "notes:read", 403),
        ("GET", "/whoami", "openid", 200),
        ("GET", "/whoami", "", 200),
    ],
)
async def test_operation_requires_its_scope(
    quick_api: NotesApi, method: str, path: str, scope: str, status: int
) -> None:
    client = quick_api.caller(scope=scope, auth_time=quick_api.clock.now)
    response = await client.request(method, path, json=NOTE if method in ("POST", "PUT") else None)
    assert response.status_code == status


async def test_whoami_returns_exactly_the_verified_claims(quick_api: NotesApi) -> None:
    client = quick_api.caller("ada", roles=["editor"], department="engines")
    claims = quick_api.issuer.claims(sub="ada", scope="notes:read notes:write", roles=["editor"], department="engines")
    response = await client.get("/whoami")
    assert response.json() == claims
    assert response.headers["Cache-Control"] == "private, no-cache"


async def test_ids_are_random_and_sort_by_age(api: NotesApi) -> None:
    ada = api.caller("ada")
    ids = [(await add(ada)).removeprefix("/notes/") for _ in range(5)]
    assert ids == sorted(ids)
    assert {UUID(note_id).version for note_id in ids} == {7}
    assert len({note_id[19:] for note_id in ids}) == 5


@pytest.mark.parametrize(
    "spelling",
    ["{id}/", "{upper}", "{hex}", "urn:uuid:{id}", "%7B{id}%7D", "{id}%00", "%00", "1", "..%2F{id}", "%ED%A0%80"],
)
async def test_other_spellings_of_a_note_id_are_not_found(quick_api: NotesApi, spelling: str) -> None:
    ada = quick_api.caller("ada")
    note_id = (await add(ada)).removeprefix("/notes/")
    path = spelling.format(id=note_id, upper=note_id.upper(), hex=note_id.replace("-", ""))
    assert (await ada.get(f"/notes/{path}")).status_code == 404


async def test_sub_longer_than_255_characters_is_refused(api: NotesApi) -> None:
    assert (await api.caller("s" * 255).post("/notes", json=NOTE)).status_code == 201
    for request in (("POST", "/notes"), ("GET", "/notes"), ("DELETE", "/notes")):
        caller = api.caller("s" * 256, auth_time=api.clock.now)
        assert (await caller.request(*request, json=NOTE)).status_code == 403


async def test_text_is_stored_unchanged(api: NotesApi) -> None:
    ada = api.caller("ada")
    for text in ("𝄞" * 200, "' OR 1=1 --", "\u202e", "\x01", "\n", "é", "<script>", "%s :name ?"):
        found = (await ada.get(await add(ada, title=text, body=text * 100))).json()
        assert (found["title"], found["body"]) == (text, text * 100)
