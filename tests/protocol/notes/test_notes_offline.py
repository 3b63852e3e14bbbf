"""The API believes tokens by the public keys alone: the issuer may be down, across a restart, too."""

from pathlib import Path

from tests.support.notes_api import NotesApi, running_notes_api
from tests.support.token_issuer import AUDIENCE, ISSUER
from tests.support.waiting import until


async def test_while_the_issuer_is_away_live_tokens_go_on(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    assert (await ada.get("/notes")).status_code == 200
    quick_api.issuer.is_away = True
    fetches = quick_api.issuer.fetches
    assert (await ada.get("/notes")).status_code == 200
    assert (await quick_api.caller("bob").get("/notes")).status_code == 200
    assert (await quick_api.anyone().get("/readyz")).status_code == 200
    assert quick_api.issuer.fetches == fetches


async def test_a_restart_needs_no_issuer_when_the_keys_are_on_disk(tmp_path: Path) -> None:
    database_url, jwks_file = f"sqlite:///{tmp_path}/notes.db", tmp_path / "jwks.json"
    async with running_notes_api(database_url, jwks_file=jwks_file) as api:
        assert (await api.caller("ada").post("/notes", json={"title": "Before"})).status_code == 201
        before = api.issuer
        await until(jwks_file.exists)
    async with running_notes_api(database_url, jwks_file=jwks_file) as api:
        api.issuer.is_away = True
        token = before.access_token(sub="ada", scope="notes:read")
        response = await api.bearer(token).get("/notes")
        assert [note["title"] for note in response.json()["notes"]] == ["Before"]
        assert (await api.anyone().get("/readyz")).status_code == 200


async def test_a_new_key_is_believed_at_its_first_token(quick_api: NotesApi) -> None:
    assert (await quick_api.caller().get("/notes")).status_code == 200
    quick_api.clock.advance(seconds=10)
    quick_api.issuer.rotate()
    assert (await quick_api.caller().get("/notes")).status_code == 200


async def test_unknown_kids_do_not_make_us_call_the_issuer_each_time(quick_api: NotesApi) -> None:
    assert (await quick_api.caller().get("/notes")).status_code == 200
    quick_api.clock.advance(seconds=10)
    before = quick_api.issuer.fetches
    known = quick_api.issuer.document
    for _ in range(20):
        quick_api.issuer.rotate()
        quick_api.issuer.document = known
        assert (await quick_api.caller().get("/notes")).status_code == 401
    assert quick_api.issuer.fetches <= before + 1


async def test_the_challenge_leads_to_the_issuer(quick_api: NotesApi) -> None:
    """RFC 9728 §5: from a 401 to the document that says where tokens are to be had."""
    challenge = (await quick_api.anyone().get("/notes")).headers["WWW-Authenticate"]
    _, _, quoted = challenge.partition('resource_metadata="')
    metadata = await quick_api.anyone().get(quoted.partition('"')[0])
    assert metadata.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["notes:read", "notes:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Notes",
    }
