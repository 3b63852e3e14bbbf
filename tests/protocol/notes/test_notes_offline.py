"""The API verifies tokens with the public keys only, so the issuer may be down, even during a restart."""

from pathlib import Path

from tests.support.notes_api import NotesApi, running_notes_api
from tests.support.token_issuer import AUDIENCE, ISSUER
from tests.support.waiting import until


async def test_valid_tokens_are_served_while_the_issuer_is_away(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    assert (await ada.get("/notes")).status_code == 200
    quick_api.issuer.is_away = True
    fetches = quick_api.issuer.fetches
    assert (await ada.get("/notes")).status_code == 200
    assert (await quick_api.caller("bob").get("/notes")).status_code == 200
    assert (await quick_api.anyone().get("/readyz")).status_code == 200
    assert quick_api.issuer.fetches == fetches


async def test_restart_with_a_keys_file_needs_no_issuer(tmp_path: Path) -> None:
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


async def test_first_token_of_a_new_key_is_served(quick_api: NotesApi) -> None:
    assert (await quick_api.caller().get("/notes")).status_code == 200
    quick_api.clock.advance(seconds=10)
    quick_api.issuer.rotate()
    assert (await quick_api.caller().get("/notes")).status_code == 200


async def test_unknown_kids_do_not_cause_a_fetch_each(quick_api: NotesApi) -> None:
    assert (await quick_api.caller().get("/notes")).status_code == 200
    quick_api.clock.advance(seconds=10)
    before = quick_api.issuer.fetches
    known = quick_api.issuer.document
    for _ in range(20):
        quick_api.issuer.rotate()
        quick_api.issuer.document = known
        assert (await quick_api.caller().get("/notes")).status_code == 401
    assert quick_api.issuer.fetches <= before + 1


async def test_challenge_leads_to_the_issuer(quick_api: NotesApi) -> None:
    """RFC 9728 §5: a 401 leads to the document that names the issuer."""
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
