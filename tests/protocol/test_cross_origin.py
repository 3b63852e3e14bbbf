"""Browser code on another origin can call endpoints by CORS, and run a sign-in in a popup."""

from collections.abc import AsyncIterator

import httpx
import pytest

from auth_service.store.clients import clients
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import clients_with, declared_settings

SPA = "https://spa.example.org"
OTHER = "https://other.example.org"
LIBRARY_HEADERS = (
    "authorization,baggage,content-type,dpop,mcp-protocol-version,sentry-trace,traceparent,tracestate,x-requested-with"
)


@pytest.fixture
async def op(auth_sqlite_url: str) -> AsyncIterator[AuthService]:
    """A service with open registration, and a client with two origins besides its callback's."""
    spa = {"spa": {"allowed_origins": ["capacitor://localhost", OTHER]}}
    async with running_auth_service(
        auth_sqlite_url, client=clients_with(spa), registration={"mode": "open"}
    ) as running:
        yield running


async def preflight(op: AuthService, path: str, method: str, *, origin: str = SPA, **headers: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return await op.http().options(path, headers=asked | headers)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/token", "POST"),
        ("/revoke", "POST"),
        ("/userinfo", "GET"),
        ("/userinfo", "POST"),
        ("/jwks", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/register", "POST"),
        ("/register/some-client", "GET"),
        ("/register/some-client", "PUT"),
        ("/register/some-client", "DELETE"),
    ],
)
async def test_preflight_allows_the_method_and_every_requested_header(op: AuthService, path: str, method: str) -> None:
    answer = await preflight(op, path, method, **{"Access-Control-Request-Headers": LIBRARY_HEADERS})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] in {"*", SPA}
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    assert answer.headers["access-control-allow-headers"] == LIBRARY_HEADERS
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("requested", ["a b", "x-a,,x-b", "(comment)", "x-a:", "x" * 1025, 'x"'])
async def test_malformed_or_too_long_header_names_are_not_mirrored(op: AuthService, requested: str) -> None:
    answer = await preflight(op, "/token", "POST", **{"Access-Control-Request-Headers": requested})
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-headers" not in answer.headers


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/token", "POST, OPTIONS"), ("/jwks", "GET, HEAD, OPTIONS"), ("/register", "POST, OPTIONS")],
)
async def test_options_without_a_preflight_returns_the_methods(op: AuthService, path: str, allow: str) -> None:
    answer = await op.http().options(path)
    assert (answer.status_code, answer.headers["allow"]) == (204, allow)


async def test_page_of_another_origin_can_register_and_manage_a_client(op: AuthService) -> None:
    http = op.http()
    http.headers["Origin"] = "https://inspector.example"
    metadata = {"redirect_uris": ["https://inspector.example/callback"]}
    answer = await http.post("/register", json=metadata)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, "*")
    registered = answer.json()
    http.headers["Authorization"] = f"Bearer {registered['registration_access_token']}"
    path = registered["registration_client_uri"]
    update = metadata | {"client_id": registered["client_id"]}
    for managed in (await http.get(path), await http.put(path, json=update), await http.delete(path)):
        assert managed.is_success
        assert managed.headers["access-control-allow-origin"] == "*"


async def test_page_can_read_a_refused_registration(op: AuthService) -> None:
    answer = await op.http().post("/register", json={"redirect_uris": ["ftp://x"]}, headers={"Origin": OTHER})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (400, "*")


async def test_registration_that_is_off_has_no_cors(auth_sqlite_url: str) -> None:
    async with running_auth_service(auth_sqlite_url, registration={"mode": "off"}) as off:
        for answer in (await preflight(off, "/register", "POST"), await off.http().post("/register", json={})):
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_pages_of_declared_origins_can_call(op: AuthService, path: str) -> None:
    for origin in ("capacitor://localhost", OTHER, SPA):
        assert (await preflight(op, path, "POST", origin=origin)).headers["access-control-allow-origin"] == origin
        answer = await op.http().post(path, headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
    for origin in ("capacitor://other", f"{OTHER}:8443", "null"):
        assert "access-control-allow-origin" not in (await preflight(op, path, "POST", origin=origin)).headers


async def test_pages_of_a_disabled_client_cannot_call(auth_sqlite_url: str) -> None:
    async with running_auth_service(auth_sqlite_url, client=clients_with({"spa": {"allowed_origins": [OTHER]}})) as op:
        await op.store.write(clients.disable_client, "spa", by="command", now=op.clock())
        await op.look_again()
        for origin in (OTHER, SPA):
            assert (await preflight(op, "/token", "POST", origin=origin)).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://spa.example.org/",
        "https://SPA.example.org",
        "https://spa.example.org:443",
        "https://spa.example.org:0443",
        "https://spa.example.org:99999",
        "https://user@spa.example.org",
        "http://spa.example.org",
        "spa.example.org",
        "file://",
        "https://spa.example.org\n",
        "https://bücher.example",
    ],
)
def test_allowed_origin_must_be_written_as_browsers_send_it(origin: str) -> None:
    assert declared_settings("sqlite:///x.db", client=clients_with({"spa": {"allowed_origins": [OTHER]}}))
    with pytest.raises(ValueError, match="allowed_origins"):
        declared_settings("sqlite:///x.db", client=clients_with({"spa": {"allowed_origins": [origin]}}))


async def test_popup_responses_keep_the_popup_connected_to_the_app(op: AuthService) -> None:
    rp = op.relying_party("third-party")
    browser, http = rp.browser, op.http()
    login = await rp.authorize()
    answers = {
        "to the login page": await http.get(rp.authorization_url()),
        "login": login,
        "wrong password": await op.browser().sign_in(login, password="wrong"),
        "consent": (consent := await browser.sign_in(login)),
        "back to the app": await browser.submit(consent, decision="allow"),
        "unknown client": await rp.authorize(client_id="nobody"),
        "bad method": await http.put("/login"),
        "log out": (confirmation := await browser.open("/logout")),
        "logged out": await browser.submit(confirmation),
    }
    assert answers["back to the app"].headers["location"].startswith(str(rp.redirect_uri))
    for name, answer in answers.items():
        assert "cross-origin-opener-policy" not in answer.headers, name


@pytest.mark.parametrize("path", ["/", "/docs", "/jwks", "/nowhere", "/login/", "/openapi.json"])
async def test_other_responses_isolate_the_page_from_its_opener(op: AuthService, path: str) -> None:
    assert (await op.http().get(path)).headers["cross-origin-opener-policy"] == "same-origin"
