"""The OpenAPI document describes the API completely."""

import time
from pathlib import Path

from tests.support.notes_api import NotesApi
from tests.support.notes_process import notes_process
from tests.support.openapi_conformance import run_schemathesis


def test_every_response_is_documented_and_none_is_500(tmp_path: Path) -> None:
    with notes_process(tmp_path) as notes:
        token = notes.access_token(auth_time=int(time.time()))
        run_schemathesis(f"{notes.url}/openapi.json", tmp_path, authorization=f"Bearer {token}")
    assert '"status": 500' not in (tmp_path / "log").read_text()


async def test_document_has_the_scope_of_each_operation(quick_api: NotesApi) -> None:
    document = (await quick_api.anyone().get("/openapi.json")).json()
    scopes = {
        f"{method.upper()} {path}": operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    (scheme,) = document["components"]["securitySchemes"]
    assert scopes == {
        "GET /notes": [{scheme: ["notes:read"]}],
        "POST /notes": [{scheme: ["notes:write"]}],
        "DELETE /notes": [{scheme: ["notes:write"]}],
        "GET /notes/{note_id}": [{scheme: ["notes:read"]}],
        "PUT /notes/{note_id}": [{scheme: ["notes:write"]}],
        "DELETE /notes/{note_id}": [{scheme: ["notes:write"]}],
        "GET /whoami": [{scheme: []}],
        "GET /healthz": None,
        "GET /readyz": None,
    }


async def test_document_says_that_deleting_all_needs_a_recent_login(quick_api: NotesApi) -> None:
    operation = (await quick_api.anyone().get("/openapi.json")).json()["paths"]["/notes"]["delete"]
    assert "insufficient_user_authentication" in operation["description"]
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    assert "application/problem+json" in operation["responses"]["401"]["content"]


async def test_docs_page_has_its_own_client_and_loads_nothing_from_other_origins(quick_api: NotesApi) -> None:
    page = await quick_api.anyone().get("/docs")
    assert page.status_code == 200
    assert 'data-client-id="notes-docs"' in page.text
    assert "//" not in page.text.replace("https://id.example.com", "")
    assert "connect-src 'self' https://id.example.com;" in page.headers["Content-Security-Policy"]
