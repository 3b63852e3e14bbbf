"""Plain Django views: RFC 6750, RFC 9470, RFC 9728, with and without an event loop."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_settings

from tallystick.django import requires
from tests.support.django_project import project_of
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"
MIDDLEWARE = "tallystick.django.AccessTokenMiddleware"
SYNC_AND_ASYNC = pytest.mark.parametrize("prefix", ["", "/async"])


@pytest.fixture(autouse=True)
def project(issuer: TokenIssuer) -> Iterator[None]:
    with project_of(issuer):
        yield


def get(path: str, token: str | None = None, **headers: str) -> HttpResponse:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Client(raise_request_exception=False).get(path, headers=headers)


@SYNC_AND_ASYNC
def test_good_token_is_accepted(prefix: str, issuer: TokenIssuer) -> None:
    response = get(f"{prefix}/notes", issuer.access_token())
    assert (response.status_code, response.json()) == (200, "user-1")


@pytest.mark.parametrize("path", ["/notes", "/async/notes", "/class/notes", "/drf/notes"])
async def test_good_token_is_accepted_on_an_event_loop(path: str, issuer: TokenIssuer) -> None:
    response = await AsyncClient().get(path, headers={"Authorization": f"Bearer {issuer.access_token()}"})
    assert (response.status_code, response.json()) == (200, "user-1")


@SYNC_AND_ASYNC
def test_request_without_a_token_gets_a_challenge_without_error_code(prefix: str) -> None:
    response = get(f"{prefix}/notes")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "an access token is required",
    }


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "bearer", "Bearer", "Bearer\t", "Token x"])
def test_other_header_is_refused_with_401(authorization: str) -> None:
    response = get("/notes", Authorization=authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "x",
        lambda token: f"{token}=",
        lambda token: f"{token} {token}",
        lambda token: token[:-2],
        lambda token: token.upper(),
        lambda token: "\xff" * 100,
        lambda token: "." * 50_000,
    ],
)
@pytest.mark.parametrize("path", ["/notes", "/async/notes", "/drf/notes"])
def test_malformed_token_is_answered_with_invalid_token(
    path: str, issuer: TokenIssuer, change: Callable[[str], str]
) -> None:
    response = get(path, change(issuer.access_token()))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')


@SYNC_AND_ASYNC
@pytest.mark.parametrize("claims", [{}, {"auth_time": 0, "acr": "two"}, {"acr": "two"}, {"acr": "one"}])
def test_challenge_of_an_insufficient_login_names_max_age_and_acr_values(
    prefix: str, issuer: TokenIssuer, claims: dict[str, object]
) -> None:
    response = get(f"{prefix}/fresh", issuer.access_token(**claims))
    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication", error_description="needs ')
    assert challenge.endswith(f'resource_metadata="{METADATA}", max_age="300", acr_values="two three"')


@SYNC_AND_ASYNC
def test_recent_login_is_accepted(prefix: str, issuer: TokenIssuer) -> None:
    token = issuer.access_token(auth_time=issuer.clock.now, acr="two")
    assert get(f"{prefix}/fresh", token).status_code == 200


def test_challenge_names_the_missing_scopes(issuer: TokenIssuer) -> None:
    response = get("/both", issuer.access_token())
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="notes:read notes:write"' in response.headers["WWW-Authenticate"]


@SYNC_AND_ASYNC
def test_request_before_the_first_keys_gets_503_with_retry_after(prefix: str, issuer: TokenIssuer) -> None:
    issuer.is_away = True
    response = get(f"{prefix}/notes", issuer.access_token())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response.headers


def test_protected_view_accepts_a_post_of_another_origin_and_other_views_keep_their_csrf_check(
    issuer: TokenIssuer,
) -> None:
    """A browser never sends an access token by itself."""
    client = Client(enforce_csrf_checks=True)
    assert client.post("/notes", headers={"Authorization": f"Bearer {issuer.access_token()}"}).status_code == 200
    assert client.post("/notes").status_code == 401
    assert client.post("/open", headers={"Authorization": f"Bearer {issuer.access_token()}"}).status_code == 403


def test_decorator_without_parentheses_is_an_error() -> None:
    view: Any = lambda request: None  # noqa: E731
    with pytest.raises(TypeError, match=r"@requires\(\)"):
        requires(view)


@pytest.mark.parametrize("arguments", [{"max_age": 0}, {"acr_values": "two"}])
def test_invalid_requirement_is_refused_at_start(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max_age|printable ASCII"):
        requires(**arguments)


async def test_sync_wrapper_does_not_block_an_event_loop() -> None:
    @requires()
    def view(request: object) -> None: ...

    with pytest.raises(RuntimeError, match="as_view"):
        view(RequestFactory().get("/"))


# The middleware


@override_settings(MIDDLEWARE=[MIDDLEWARE])
def test_middleware_verifies_a_token_and_lets_requests_without_one_pass(issuer: TokenIssuer) -> None:
    assert get("/open").json() is None
    assert get("/open", Authorization="Basic YTpi").json() is None
    assert get("/open", issuer.access_token()).json() == "user-1"
    assert get("/open", issuer.access_token(exp=1)).status_code == 401


@override_settings(MIDDLEWARE=[MIDDLEWARE])
async def test_middleware_runs_on_an_event_loop(issuer: TokenIssuer) -> None:
    client = AsyncClient()
    headers = {"Authorization": f"Bearer {issuer.access_token()}"}
    assert (await client.get("/open")).json() is None
    assert (await client.get("/open", headers=headers)).json() == "user-1"
    assert (await client.get("/async/notes", headers=headers)).json() == "user-1"
    assert (await client.get("/open", headers={"Authorization": "Bearer x"})).status_code == 401


@override_settings(MIDDLEWARE=[MIDDLEWARE])
def test_view_still_requires_its_scopes_behind_the_middleware(issuer: TokenIssuer) -> None:
    assert get("/notes").status_code == 401
    assert get("/notes", issuer.access_token()).status_code == 200
    assert get("/both", issuer.access_token()).status_code == 403


@pytest.mark.parametrize("middleware", [[], [MIDDLEWARE]])
def test_each_request_that_needs_a_token_has_one_verdict(issuer: TokenIssuer, middleware: list[str]) -> None:
    verdicts: list[str] = []
    with project_of(issuer, ON_VERDICT=verdicts.append), override_settings(MIDDLEWARE=middleware):
        get("/notes", issuer.access_token())
        get("/notes")
        get("/both", issuer.access_token())
        get("/notes", issuer.access_token(exp=1))
        get("/open")
    assert verdicts == ["accepted", "no_token", "insufficient_scope", "expired"]


# The metadata


def test_metadata_names_the_issuer_and_the_scopes() -> None:
    response = get("/.well-known/oauth-protected-resource")
    document = response.json()
    assert set(document["scopes_supported"]) >= {"notes:read", "notes:write"}
    del document["scopes_supported"]
    assert document == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_metadata_path_contains_the_path_of_the_audience(issuer: TokenIssuer) -> None:
    with project_of(issuer, AUDIENCE=f"{AUDIENCE}/v1/", NAME="Notes", SCOPES={"admin": "All"}):
        assert get("/.well-known/oauth-protected-resource").status_code == 404
        document = get("/.well-known/oauth-protected-resource/v1").json()
        assert (document["resource"], document["resource_name"]) == (f"{AUDIENCE}/v1/", "Notes")
        assert document["scopes_supported"][0] == "admin"
        assert Client().post("/.well-known/oauth-protected-resource/v1").status_code == 405


def test_audience_that_is_no_url_has_no_metadata(issuer: TokenIssuer) -> None:
    with project_of(issuer, AUDIENCE="api://notes"):
        assert get("/notes", issuer.access_token(aud="api://notes")).status_code == 200
        assert get("/notes").headers["WWW-Authenticate"] == "Bearer"
        assert get("/.well-known/oauth-protected-resource").status_code == 404
        assert not run_checks()


# The start


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (None, r"^the setting TALLYSTICK is missing"),
        ([], r"^the setting TALLYSTICK is missing"),
        ({"AUDIENCE": AUDIENCE}, r'^TALLYSTICK\["ISSUER"\] is missing$'),
        ({"ISSUER": ISSUER, "AUDIENCE": ""}, r'^TALLYSTICK\["AUDIENCE"\] is missing$'),
        ({"ISSUER": 5, "AUDIENCE": AUDIENCE}, r'^TALLYSTICK\["ISSUER"\] must be text, not int$'),
        ({"ISSUER": "http://id.example.com", "AUDIENCE": AUDIENCE}, r"plain http is for loopback only$"),
        ({"ISSUER": ISSUER, "AUDIENCE": "http://api.example.com"}, r"plain http is for loopback only$"),
        ({"ISSUER": ISSUER, "AUDIENCE": "notes"}, r"is not an absolute URI"),
        ({"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "ISUER": ISSUER}, r"^TALLYSTICK has an unknown key: 'ISUER'$"),
        ({"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "STATUS_POLICY": "none"}, r"serve_until_exp or fail_closed"),
        ({"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "FOLLOW_EVERY": 60}, r"^TALLYSTICK: follow_every"),
        ({"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "FOLLOW_EVERY": "2"}, r"^TALLYSTICK: "),
        (
            {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "USER_FROM_CLAIMS": "no.such"},
            r'"USER_FROM_CLAIMS"\] cannot be imp',
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "ON_VERDICT": 5}, r'"ON_VERDICT"\] is a function'),
    ],
)
@pytest.mark.parametrize("label", ["tallystick", "tallystick_drf"])
def test_misconfiguration_stops_the_start_with_one_sentence(label: str, setting: object, sentence: str) -> None:
    with override_settings(TALLYSTICK=setting), pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        apps.get_app_config(label).ready()
    assert "\n" not in str(refused.value)


def test_project_without_faults_passes_the_system_check() -> None:
    assert not run_checks()


def test_system_check_reports_metadata_that_no_url_serves() -> None:
    with override_settings(ROOT_URLCONF="tests.support.django_project.no_urls"):
        assert [message.id for message in run_checks()] == ["tallystick.W001"]


def test_system_check_reports_a_mapping_without_its_table(issuer: TokenIssuer) -> None:
    from tests.support.django_project import USER_FROM_CLAIMS

    installed = [config.name for config in apps.get_app_configs() if config.name != "tallystick.django.users"]
    with project_of(issuer, USER_FROM_CLAIMS=USER_FROM_CLAIMS), override_settings(INSTALLED_APPS=installed):
        assert "tallystick.E001" in [message.id for message in run_checks()]


def test_json_of_a_refusal_has_no_part_of_the_token(issuer: TokenIssuer) -> None:
    response = get("/notes", issuer.access_token(exp=1))
    assert "eyJ" not in json.dumps(response.json()) + response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("tallystick.django", ["rest_framework", "drf_spectacular", "fastapi", "starlette", "flask", "mcp"]),
        ("tallystick.drf", ["drf_spectacular", "fastapi", "starlette", "flask", "mcp"]),
    ],
)
def test_project_starts_with_the_framework_of_its_adapter_only(module: str, missing: list[str]) -> None:
    program = f"""
import sys
from importlib.abc import MetaPathFinder
class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=[{module!r}],
    TALLYSTICK={{"ISSUER": {ISSUER!r}, "AUDIENCE": {AUDIENCE!r}}},
    REST_FRAMEWORK={{"UNAUTHENTICATED_USER": None}},
)
django.setup()
import {module}, {module}.apps
assert "django.contrib.auth.models" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
