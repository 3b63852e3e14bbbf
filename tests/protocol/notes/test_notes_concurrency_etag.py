"""Concurrent writes of one note: ETag and preconditions (RFC 9110 §8.8.3, §13.1)."""

import asyncio

import httpx
import pytest

from tests.support.notes_api import NotesApi

NOTE = {"title": "Tally", "body": ""}


async def second_version(client: httpx.AsyncClient) -> str:
    """The path of a note in its second version."""
    created = await client.post("/notes", json=NOTE)
    replaced = await client.put(created.headers["Location"], json=NOTE)
    assert (created.headers["ETag"], replaced.headers["ETag"]) == ('"1"', '"2"')
    return str(created.headers["Location"])


@pytest.mark.parametrize(
    ("headers", "is_written"),
    [
        ({}, True),
        ({"If-Match": '"2"'}, True),
        ({"If-Match": '"1", "2"'}, True),
        ({"If-Match": '"a,b" ,\t"2"'}, True),
        ({"If-Match": "*"}, True),
        ({"If-Match": '"1"'}, False),
        ({"If-Match": 'W/"2"'}, False),
        ({"If-Match": "2"}, False),
        ({"If-Match": ""}, False),
        ({"If-Match": '"99999999999999999999999"'}, False),
        ({"If-Match": '"\x80"'}, False),
        ({"If-None-Match": '"1"'}, True),
        ({"If-None-Match": '"2"'}, False),
        ({"If-None-Match": 'W/"2"'}, False),
        ({"If-None-Match": "*"}, False),
        ({"If-Match": '"2"', "If-None-Match": '"1"'}, True),
        ({"If-Match": '"2"', "If-None-Match": '"2"'}, False),
    ],
)
async def test_write_is_done_only_when_its_preconditions_hold(
    quick_api: NotesApi, headers: dict[str, str], is_written: bool
) -> None:
    ada = quick_api.caller("ada")
    place = await second_version(ada)
    lines = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in headers.items()])
    deleted = await ada.delete(place, headers=lines)
    assert deleted.status_code == (204 if is_written else 412)
    assert (await ada.get(place)).status_code == (404 if is_written else 200)

    place = await second_version(ada)
    replaced = await ada.put(place, json={"title": "Notched"}, headers=lines)
    assert replaced.status_code == (200 if is_written else 412)
    assert (await ada.get(place)).json()["title"] == ("Notched" if is_written else "Tally")


async def test_precondition_may_be_in_several_header_lines(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    place = await second_version(ada)
    lines = [("If-Match", '"1"'), ("If-Match", '"2"')]
    assert (await ada.put(place, json=NOTE, headers=lines)).status_code == 200


async def test_read_of_the_current_version_is_answered_with_304(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    place = await second_version(ada)
    for tag in ('"2"', 'W/"2"', '"1", "2"', "*"):
        response = await ada.get(place, headers={"If-None-Match": tag})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == '"2"'
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in response.headers["Vary"]


async def test_read_with_another_version_is_answered_with_the_note(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    place = await second_version(ada)
    for tag in ('"1"', "2", "", '"22"'):
        assert (await ada.get(place, headers={"If-None-Match": tag})).status_code == 200


async def test_if_match_applies_to_reads(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    place = await second_version(ada)
    assert (await ada.get(place, headers={"If-Match": '"1"'})).status_code == 412
    assert (await ada.get(place, headers={"If-Match": '"2"'})).status_code == 200


async def test_preconditions_on_a_note_of_another_owner_are_answered_with_404(api: NotesApi) -> None:
    place = await second_version(api.caller("ada"))
    eve = api.caller("eve")
    for headers in ({"If-Match": '"2"'}, {"If-Match": '"1"'}, {"If-None-Match": "*"}):
        assert (await eve.get(place, headers=headers)).status_code == 404
        assert (await eve.put(place, json=NOTE, headers=headers)).status_code == 404
        assert (await eve.delete(place, headers=headers)).status_code == 404


async def test_one_of_ten_concurrent_writes_of_one_version_succeeds(api: NotesApi) -> None:
    ada = api.caller("ada")
    place = await second_version(ada)
    writes = (ada.put(place, json={"title": f"Writer {n}"}, headers={"If-Match": '"2"'}) for n in range(10))
    responses = await asyncio.gather(*writes)
    assert sorted(response.status_code for response in responses) == [200] + [412] * 9
    winner = next(response for response in responses if response.status_code == 200)
    assert (await ada.get(place)).json() == winner.json()


async def test_one_of_ten_concurrent_deletions_succeeds(api: NotesApi) -> None:
    ada = api.caller("ada")
    place = await second_version(ada)
    responses = await asyncio.gather(*(ada.delete(place) for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [204] + [404] * 9


async def test_each_write_without_preconditions_increments_the_version(api: NotesApi) -> None:
    ada = api.caller("ada")
    place = await second_version(ada)
    await asyncio.gather(*(ada.put(place, json=NOTE) for _ in range(10)))
    assert (await ada.get(place)).headers["ETag"] == '"12"'
