"""Every error response is problem details, from endpoints, framework and store alike (RFC 9457)."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tallystick_service.store import sqlite
from tests.support.notes_api import APP_ORIGIN, NotesApi, running_notes_api

NOTE = {"title": "Tally", "body": ""}
NO_NOTE = "/notes/01900000-0000-7000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


def check_problem(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/notes/", 404), ("GET", NO_NOTE, 404), ("GET", "/notes?cursor=x", 400)],
)
async def test_not_found_and_bad_request_are_problems(quick_api: NotesApi, method: str, path: str, status: int) -> None:
    check_problem(await quick_api.caller().request(method, path), status)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/notes", "DELETE, GET, HEAD, POST"),
        ("POST", NO_NOTE, "DELETE, GET, HEAD, PUT"),
        ("TRACE", "/whoami", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_method_not_allowed_lists_the_allowed_methods(
    quick_api: NotesApi, method: str, path: str, allowed: str
) -> None:
    response = await quick_api.caller().request(method, path)
    check_problem(response, 405)
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{'title': 'x'}",
        b'{"title": "a", "title": "b"}',
        b'{"title": "\\ud800"}',
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf{"title": "x"}',
        '{"title": "x"}'.encode("utf-16"),
        b'{"title": NaN}',
        b"[" * 100_000,
        b'{"a":' * 40_000,
    ],
)
async def test_malformed_or_ambiguous_json_body_is_refused(quick_api: NotesApi, body: bytes) -> None:
    check_problem(await quick_api.caller().post("/notes", content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({}, "#/title"),
        ({"title": ""}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "a\x00b"}, "#/title"),
        ({"title": None}, "#/title"),
        ({"title": 5}, "#/title"),
        ({"title": ["x"]}, "#/title"),
        ({"title": "x", "body": None}, "#/body"),
        ({"title": "x", "body": "x" * 20_001}, "#/body"),
        ({"title": "x", "body": "\x00"}, "#/body"),
        ({"title": "x", "a/b~c": 1}, "#/a~1b~0c"),
        ({"title": "x", "owner": "eve"}, "#/owner"),
    ],
)
async def test_validation_error_names_the_field_and_does_not_repeat_the_value(
    quick_api: NotesApi, content: dict[str, object], pointer: str
) -> None:
    for method, path in (("POST", "/notes"), ("PUT", NO_NOTE)):
        response = await quick_api.caller().request(method, path, json=content)
        errors = check_problem(response, 422)["errors"]
        assert isinstance(errors, list)
        assert [error["pointer"] for error in errors] == [pointer]
        assert "xxxx" not in response.text


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
async def test_other_media_types_are_refused(quick_api: NotesApi, media_type: str) -> None:
    response = await quick_api.caller().post("/notes", content=b'{"title": "x"}', headers={"Content-Type": media_type})
    check_problem(response, 415)


async def test_charset_parameter_is_accepted(quick_api: NotesApi) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await quick_api.caller().post("/notes", content=b'{"title": "x"}', headers=headers)).status_code == 201


async def test_longest_note_is_accepted_and_a_larger_body_is_413(quick_api: NotesApi) -> None:
    longest = b'{"title": "%b", "body": "%b"}' % (b"\\ud834\\udd1e" * 200, b"\\ud834\\udd1e" * 20_000)
    assert (await quick_api.caller().post("/notes", content=longest, headers=JSON)).status_code == 201
    check_problem(await quick_api.caller().post("/notes", content=b" " * 300_000, headers=JSON), 413)

    async def large_body() -> object:
        for _ in range(300):
            yield b" " * 1024

    check_problem(await quick_api.caller().post("/notes", content=large_body(), headers=JSON), 413)  # type: ignore[arg-type]


async def test_token_is_checked_before_the_body(quick_api: NotesApi) -> None:
    for content in (b"{", b'{"title": ""}', b" " * 300_000):
        check_problem(await quick_api.anyone().post("/notes", content=content, headers=JSON), 401)


async def test_refused_token_gets_a_challenge_and_a_problem(quick_api: NotesApi) -> None:
    missing = await quick_api.anyone().get("/notes")
    check_problem(missing, 401)
    assert "error=" not in missing.headers["WWW-Authenticate"]
    assert "/.well-known/oauth-protected-resource" in missing.headers["WWW-Authenticate"]
    invalid = await quick_api.bearer("nonsense").get("/notes")
    check_problem(invalid, 401)
    assert 'error="invalid_token"' in invalid.headers["WWW-Authenticate"]
    insufficient = await quick_api.caller(scope="notes:read").post("/notes", json=NOTE)
    check_problem(insufficient, 403)
    assert 'error="insufficient_scope"' in insufficient.headers["WWW-Authenticate"]
    assert 'scope="notes:write"' in insufficient.headers["WWW-Authenticate"]


async def test_locked_store_is_503_with_retry_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    database = tmp_path / "notes.db"
    async with running_notes_api(f"sqlite:///{database}") as api:
        other = create_engine(f"sqlite:///{database}")
        with other.connect() as connection:
            connection.execute(text("BEGIN EXCLUSIVE"))  # another process that holds the lock
            response = await api.caller().post("/notes", json=NOTE)
        other.dispose()
        check_problem(response, 503)
        assert int(response.headers["Retry-After"]) >= 1
        assert (await api.anyone().get("/healthz")).status_code == 200


async def test_before_the_first_keys_requests_and_readyz_are_503(tmp_path: Path) -> None:
    async with running_notes_api(f"sqlite:///{tmp_path}/notes.db") as api:
        api.issuer.is_away = True
        not_ready = await api.anyone().get("/readyz")
        check_problem(not_ready, 503)
        check_problem(await api.caller().get("/notes"), 503)


async def test_unexpected_error_is_a_problem_without_detail(tmp_path: Path) -> None:
    async with running_notes_api(f"sqlite:///{tmp_path}/notes.db") as api:
        engine = create_engine(f"sqlite:///{tmp_path}/notes.db")
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE notes"))
        engine.dispose()
        ada = api.caller("ada")
        ada.headers["Origin"] = APP_ORIGIN
        response = await ada.get("/notes")
        assert "detail" not in check_problem(response, 500)
        assert response.headers["Access-Control-Allow-Origin"] == APP_ORIGIN
        assert response.headers["X-Request-ID"]
