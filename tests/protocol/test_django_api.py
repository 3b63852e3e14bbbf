"""examples/django_api behind gunicorn: two worker processes, forked from one that has loaded the project."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.gunicorn import gunicorn, start
from tests.support.patience import PATIENCE
from tests.support.served_issuer import ServedIssuer, served_issuer
from tests.support.waiting import wait_until

AUDIENCE = "http://localhost:8001"
METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"
EXAMPLE = "examples.django_api"
READ_AND_WRITE = "notes:read notes:write"


@pytest.fixture(scope="module")
def issuer() -> Iterator[ServedIssuer]:
    with served_issuer(AUDIENCE) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("django") / "log"


@pytest.fixture(scope="module")
def url(issuer: ServedIssuer, log: Path) -> Iterator[str]:
    options = ("--workers", "2", "--threads", "2", "--preload")
    database = str(log.with_name("notes.db"))
    with gunicorn(EXAMPLE, *options, log=log, ISSUER=issuer.url, DATABASE=database) as url:
        yield url


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as api:
        yield api


def bearer(issuer: ServedIssuer, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.access_token(**({'scope': READ_AND_WRITE} | claims))}"}


def test_user_creates_reads_changes_and_deletes_their_own_notes(api: httpx.Client, issuer: ServedIssuer) -> None:
    ada, grace = bearer(issuer, sub="ada"), bearer(issuer, sub="grace")
    created = api.post("/notes", json={"title": "First", "body": "Text"}, headers=ada)
    assert created.status_code == 201
    note = f"/notes/{created.json()['id']}"
    assert api.get(note, headers=ada).json() == created.json()
    assert api.put(note, json={"title": "Second"}, headers=ada).json()["title"] == "Second"
    assert [each["title"] for each in api.get("/notes", headers=ada).json()["results"]] == ["Second"]
    assert api.get("/notes", headers=grace).json()["results"] == []
    for method in ("GET", "PUT", "DELETE"):
        assert api.request(method, note, json={"title": "Mine"}, headers=grace).status_code == 404
    assert api.delete(note, headers=ada).status_code == 204
    assert api.get(note, headers=ada).status_code == 404


def test_anonymous_request_gets_the_challenge(api: httpx.Client) -> None:
    response = api.get("/notes")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    assert response.headers["Cache-Control"] == "no-store"


def test_missing_scope_gets_403(api: httpx.Client, issuer: ServedIssuer) -> None:
    response = api.post("/notes", json={"title": "x"}, headers=bearer(issuer, scope="notes:read"))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="notes:write"' in response.headers["WWW-Authenticate"]


def test_deleting_all_notes_needs_a_recent_login(api: httpx.Client, issuer: ServedIssuer) -> None:
    now = issuer.now()
    old = api.delete("/notes", headers=bearer(issuer, auth_time=now - 3600))
    assert old.status_code == 401
    assert 'error="insufficient_user_authentication"' in old.headers["WWW-Authenticate"]
    assert 'max_age="300"' in old.headers["WWW-Authenticate"]
    assert api.delete("/notes", headers=bearer(issuer, auth_time=now)).status_code == 204


def test_revoked_token_is_refused_by_every_worker(api: httpx.Client, issuer: ServedIssuer) -> None:
    revoked, other = bearer(issuer, idx=5), bearer(issuer, idx=6)
    for _ in range(8):  # both workers have accepted it
        assert api.get("/notes", headers=revoked).status_code == 200
    issuer.revoke(5)
    answers: list[int] = []

    def is_refused() -> bool:
        answers.append(api.get("/notes", headers=revoked).status_code)
        return answers[-8:] == [401] * 8

    wait_until(is_refused)
    assert set(answers) <= {200, 401}
    assert api.get("/notes", headers=other).status_code == 200


HOSTILE = [
    b"Bearer",
    b"Bearer ",
    b"Bearer  ",
    b"bearer\tx",
    b"Basic YTpi",
    b"Bearer x",
    b"Bearer a.b.c",
    b"Bearer ..",
    b"Bearer " + b"." * 4000,
    b"Bearer " + b"A" * 7000,
    b"Bearer " + b"\xff" * 100,
    b"Bearer \xc3\xa9.\xc3\xa9.\xc3\xa9",
    b"Bearer eyJhbGciOiJub25lIn0.e30.",
    b"Negotiate " + b"A" * 100,
    b"\xff\xfe",
]


def status_of(url: str, method: str, authorization: bytes) -> int:
    """Without httpx, which refuses to send some of these values."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, "/notes", headers={"Authorization": authorization})
        return connection.getresponse().status
    finally:
        connection.close()


def test_hostile_headers_are_refused_and_never_answered_with_500(
    url: str, api: httpx.Client, issuer: ServedIssuer, log: Path
) -> None:
    for value in HOSTILE:
        for method in ("GET", "POST"):
            assert status_of(url, method, value) in (400, 401), (value, method)
    good = bearer(issuer)["Authorization"].encode()
    twice = api.get("/notes", headers=[(b"Authorization", good)] * 2)
    assert twice.status_code in (400, 401)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/notes?limit=-1&offset=x", b"", 200),
        ("GET", f"/notes?limit={10**30}&offset={10**30}", b"", 200),
        ("GET", "/notes/not-a-uuid", b"", 404),
        ("POST", "/notes", b"", 400),
        ("POST", "/notes", b"\xff", 400),
        ("POST", "/notes", b"[]", 400),
        ("POST", "/notes", b'{"title": "a\\u0000b"}', 400),
        ("POST", "/notes", b'{"title": "\\ud800"}', 400),
        ("POST", "/notes", b'{"title": ""}', 400),
        ("POST", "/notes", b"{" * 100_000, 400),
        ("POST", "/notes", b"[" * 100_000, 400),
        ("POST", "/notes", b'{"title": ' * 100_000, 400),
        ("PATCH", "/notes", b"{}", 403),
    ],
)
def test_malformed_request_is_never_answered_with_500(
    api: httpx.Client, issuer: ServedIssuer, method: str, path: str, content: bytes, status: int
) -> None:
    headers = {**bearer(issuer), "Content-Type": "application/json"}
    assert api.request(method, path, content=content, headers=headers).status_code == status


def test_unknown_path_gets_a_problem_document(api: httpx.Client) -> None:
    response = api.get("/notes/1")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 404


def test_head_has_the_headers_of_get_and_no_body_that_the_server_must_drop(
    api: httpx.Client, issuer: ServedIssuer, log: Path
) -> None:
    head, get = (api.request(method, "/notes", headers=bearer(issuer)) for method in ("HEAD", "GET"))
    assert head.status_code == get.status_code == 200
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert "no-body response" not in log.read_text()


def test_metadata_names_the_issuer(api: httpx.Client, issuer: ServedIssuer) -> None:
    document = api.get("/.well-known/oauth-protected-resource").json()
    assert document["authorization_servers"] == [issuer.url]
    assert document["scopes_supported"] == ["notes:read", "notes:write"]


def test_openapi_document_names_the_scopes_of_each_operation(api: httpx.Client, log: Path) -> None:
    document = api.get("/openapi.json").json()
    assert "collision" not in log.read_text()
    security = {
        (path, method): operation["security"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/notes")
    }
    write = [{"Tallystick": ["notes:write"]}]
    assert security == {
        ("/notes", "get"): [{"Tallystick": ["notes:read"]}],
        ("/notes", "post"): write,
        ("/notes", "delete"): write,
        ("/notes/{id}", "get"): [{"Tallystick": ["notes:read"]}],
        ("/notes/{id}", "put"): write,
        ("/notes/{id}", "delete"): write,
    }


def test_misconfiguration_stops_gunicorn_with_one_sentence(tmp_path: Path) -> None:
    environment = {"AUDIENCE": "http://api.example.com", "DJANGO_SETTINGS_MODULE": f"{EXAMPLE}.settings"}
    with start(
        "gunicorn", f"{EXAMPLE}.wsgi", "--bind", "127.0.0.1:0", log=tmp_path / "log", environment=environment
    ) as process:
        assert process.wait(PATIENCE) != 0
    sentence = "TALLYSTICK: audience: 'http://api.example.com' must be https: plain http is for loopback only"
    assert f"django.core.exceptions.ImproperlyConfigured: {sentence}\n" in (tmp_path / "log").read_text()


FAILING_VIEW = """
import django
from django.test import Client
from django.urls import path
django.setup()
from examples.django_api import urls
urls.urlpatterns.append(path("failing", lambda request: 1 / 0))
print(Client(raise_request_exception=False).get("/failing", headers={"Host": "localhost"}).status_code)
"""


def test_cause_of_an_internal_error_is_logged_to_the_console() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": f"{EXAMPLE}.settings"}
    ended = subprocess.run([sys.executable, "-c", FAILING_VIEW], capture_output=True, text=True, env=environment)
    assert ended.stdout == "500\n"
    assert "ZeroDivisionError" in ended.stderr
