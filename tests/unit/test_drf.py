"""Django REST Framework: authentication, scopes, challenges, throttles and the OpenAPI document."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings

from tests.support.django_project import project_of
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"


@pytest.fixture(autouse=True)
def project(issuer: TokenIssuer) -> Iterator[None]:
    with project_of(issuer):
        yield


def call(path: str, token: str | None = None, *, method: str = "GET") -> HttpResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Client(raise_request_exception=False).generic(method, f"/drf{path}", headers=headers)


def test_user_of_an_accepted_token_has_its_sub_and_needs_no_database(issuer: TokenIssuer) -> None:
    response = call("/notes", issuer.access_token(sub="ada"))
    assert (response.status_code, response.json()) == (200, "ada")
    person = call("/user", issuer.access_token(sub="ada")).json()
    assert person["username"] == "ada"


@pytest.mark.parametrize("path", ["/notes", "/both", "/fresh", "/methods", "/user", "/actions"])
def test_request_without_a_token_gets_401_and_a_challenge_without_error_code(path: str) -> None:
    response = call(path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    assert response.headers["Cache-Control"] == "no-store"


def test_invalid_token_is_refused_even_where_none_is_needed(issuer: TokenIssuer) -> None:
    assert call("/open").status_code == 200
    assert call("/open", issuer.access_token()).json() == "user-1"
    response = call("/open", issuer.access_token(exp=1))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert response.headers["Cache-Control"] == "no-store"


def test_missing_scope_gets_403_with_the_challenge(issuer: TokenIssuer) -> None:
    response = call("/both", issuer.access_token())
    assert (response.status_code, response.json()) == (403, {"detail": "needs the scope notes:read notes:write"})
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="notes:read notes:write"' in response.headers["WWW-Authenticate"]
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("claims", [{}, {"auth_time": 0, "acr": "two"}, {"acr": "two"}, {"acr": "one"}])
def test_insufficient_login_gets_the_step_up_challenge(issuer: TokenIssuer, claims: dict[str, object]) -> None:
    response = call("/fresh", issuer.access_token(**claims))
    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication", error_description="needs ')
    assert challenge.endswith(f'resource_metadata="{METADATA}", max_age="300", acr_values="two three"')


def test_recent_login_is_accepted_and_the_scope_is_checked_first(issuer: TokenIssuer) -> None:
    assert call("/fresh", issuer.access_token(auth_time=issuer.clock.now, acr="two")).status_code == 200
    assert call("/fresh", issuer.access_token(scope="")).status_code == 403


def test_unavailable_keys_get_503_with_retry_after(issuer: TokenIssuer) -> None:
    issuer.is_away = True
    response = call("/notes", issuer.access_token())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "scope", "status"),
    [
        ("GET", "notes:read", 200),
        ("HEAD", "notes:read", 200),
        ("POST", "notes:read", 403),
        ("POST", "notes:write", 200),
        ("GET", "notes:write", 403),
        ("OPTIONS", "", 200),
        ("PATCH", "notes:read notes:write", 403),
        ("BREW", "notes:read notes:write", 403),
    ],
)
def test_scopes_may_depend_on_the_method(issuer: TokenIssuer, method: str, scope: str, status: int) -> None:
    assert call("/methods", issuer.access_token(scope=scope), method=method).status_code == status


def test_scopes_may_depend_on_the_action_of_a_view_set(issuer: TokenIssuer) -> None:
    assert call("/actions", issuer.access_token()).status_code == 200
    assert call("/actions/1", issuer.access_token()).status_code == 403
    assert call("/actions/1", issuer.access_token(scope="admin")).status_code == 200


@override_settings(ROOT_URLCONF="tests.support.django_project.faulty_urls")
def test_missing_declaration_of_scopes_does_not_open_a_view_and_fails_the_system_check(issuer: TokenIssuer) -> None:
    token = issuer.access_token(scope="notes:read notes:write")
    assert call("/forgotten", token).status_code == 500
    assert call("/malformed", token).status_code == 500
    assert call("/incomplete", token).status_code == 200
    assert call("/incomplete", token, method="DELETE").status_code == 403
    found = [str(message.msg) for message in run_checks() if message.id == "tallystick.E002"]
    assert len(found) == 3
    assert found[0].startswith("Forgotten.required_scopes is a list of scopes")
    assert found[1] == "Incomplete.required_scopes has no entry for DELETE"
    assert found[2].startswith("Malformed.required_scopes: ")


def test_each_request_that_needs_a_token_has_one_verdict(issuer: TokenIssuer) -> None:
    verdicts: list[str] = []
    with project_of(issuer, ON_VERDICT=verdicts.append):
        call("/notes", issuer.access_token())
        call("/open", issuer.access_token())
        call("/notes")
        call("/both", issuer.access_token())
        call("/notes", issuer.access_token(exp=1))
        call("/open")
    assert verdicts == ["accepted", "accepted", "no_token", "insufficient_scope", "expired"]


# Throttles


@pytest.fixture
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.usefixtures("_empty_cache")
def test_user_throttle_counts_the_requests_of_each_user(issuer: TokenIssuer) -> None:
    """The rates are two a minute for a user, and three for a client."""
    hostile = "x y" * 300  # a cache key has at most 250 characters, and no space
    for sub in ("ada", hostile):
        tokens = [issuer.access_token(sub=sub, client_id=f"{sub}-{number}") for number in range(3)]
        assert [call("/throttled", token).status_code for token in tokens] == [200, 200, 429]


@pytest.mark.usefixtures("_empty_cache")
def test_client_throttle_counts_all_users_of_a_client(issuer: TokenIssuer) -> None:
    tokens = [issuer.access_token(sub=f"user-{number}", client_id="c d" * 300) for number in range(4)]
    assert [call("/throttled", token).status_code for token in tokens] == [200, 200, 200, 429]


# The OpenAPI document


def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Client().get("/openapi.json").content)
    return document


def test_openapi_document_has_the_flow_and_the_scopes_of_each_operation(issuer: TokenIssuer) -> None:
    with project_of(issuer, SCOPES={"notes:read": "Read your notes"}):
        document = openapi()
    flow = document["components"]["securitySchemes"]["Tallystick"]["flows"]["authorizationCode"]
    assert flow == {
        "authorizationUrl": f"{ISSUER}/authorize",
        "tokenUrl": f"{ISSUER}/token",
        "scopes": {"notes:read": "Read your notes", "notes:write": "", "admin": ""},
    }
    security = {
        (path.removeprefix("/drf"), method): operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert security["/notes", "get"] == [{"Tallystick": ["notes:read"]}]
    assert security["/methods", "post"] == [{"Tallystick": ["notes:write"]}]
    assert security["/fresh", "get"] == [{"Tallystick": ["notes:read"]}]
    assert security["/user", "get"] == [{"Tallystick": []}]
    assert security["/actions", "get"] == [{"Tallystick": ["notes:read"]}]
    assert security["/actions/1", "get"] == [{"Tallystick": ["admin"]}]
    assert {} in security["/open", "get"]


@override_settings(MIDDLEWARE=["tallystick.django.AccessTokenMiddleware"])
def test_authentication_class_works_behind_the_middleware(issuer: TokenIssuer) -> None:
    assert call("/notes", issuer.access_token()).json() == "user-1"
    assert call("/both", issuer.access_token()).status_code == 403
