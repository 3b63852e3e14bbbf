"""Pagination: each note is on one page, also when notes are written between two requests (RFC 8288 for the link)."""

import httpx
import pytest

from tests.support.notes_api import NotesApi


async def add_notes(client: httpx.AsyncClient, count: int) -> list[str]:
    """The ids of new notes, oldest first."""
    return [(await client.post("/notes", json={"title": f"Note {n}"})).json()["id"] for n in range(count)]


async def pages_of(client: httpx.AsyncClient, limit: int) -> list[list[str]]:
    """The ids on all pages, found by following the links."""
    pages: list[list[str]] = []
    url = f"/notes?limit={limit}"
    while url:
        response = await client.get(url)
        assert response.status_code == 200
        pages.append([note["id"] for note in response.json()["notes"]])
        assert ("next" in response.links) == (response.json()["next_cursor"] is not None)
        url = response.links.get("next", {}).get("url", "")
    return pages


async def test_every_note_is_on_one_page_newest_first(api: NotesApi) -> None:
    ada = api.caller("ada")
    newest_first = (await add_notes(ada, 7))[::-1]
    await add_notes(api.caller("bob"), 3)
    for limit in (1, 2, 3, 6, 7, 8, 100):
        pages = await pages_of(ada, limit)
        assert [note_id for page in pages for note_id in page] == newest_first
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


async def test_no_notes_are_one_empty_page(api: NotesApi) -> None:
    assert await pages_of(api.caller(), 5) == [[]]


async def test_page_has_twenty_notes_by_default(api: NotesApi) -> None:
    ada = api.caller("ada")
    await add_notes(ada, 21)
    assert len((await ada.get("/notes")).json()["notes"]) == 20


async def test_writes_between_two_pages_move_no_note(api: NotesApi) -> None:
    ada = api.caller("ada")
    oldest_first = await add_notes(ada, 6)
    first = (await ada.get("/notes", params={"limit": 3})).json()
    await add_notes(ada, 1)
    await ada.delete(f"/notes/{oldest_first[3]}")  # the note that the cursor names
    second = (await ada.get("/notes", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [note["id"] for note in second["notes"]] == oldest_first[2::-1]


async def test_cursor_does_not_show_the_notes_of_another_owner(api: NotesApi) -> None:
    ada, eve = api.caller("ada"), api.caller("eve")
    await add_notes(ada, 3)
    cursor = (await ada.get("/notes?limit=1")).json()["next_cursor"]
    response = await eve.get("/notes", params={"cursor": cursor})
    assert (response.status_code, response.json()["notes"]) == (200, [])


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAAAAAAAAAAAAAAAAAAAA==", "A" * 21 + "B", "A" * 23, "%00", "é", "../../etc"]
)
async def test_malformed_cursor_is_refused(quick_api: NotesApi, cursor: str) -> None:
    assert (await quick_api.caller().get(f"/notes?cursor={cursor}")).status_code == 400


@pytest.mark.parametrize("limit", ["0", "-1", "101", "ten", "1e1", "", "9" * 5000, "%00", "1.5"])
async def test_limit_outside_1_to_100_is_refused(quick_api: NotesApi, limit: str) -> None:
    response = await quick_api.caller().get(f"/notes?limit={limit}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "limit"
