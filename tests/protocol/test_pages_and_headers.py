"""Security headers of every response, CORS, and the health endpoints."""

import re

import httpx
import pytest

from auth_service.composition import Provider
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty

SPA = "https://spa.example.org"
OTHER_ORIGIN = "https://evil.example"


async def every_page(auth: AuthService) -> dict[str, httpx.Response]:
    rp = auth.relying_party("third-party")
    login = await rp.authorize()
    consent = await rp.browser.sign_in(login)
    return {
        "login": login,
        "failed login": await auth.browser().sign_in(login, password="wrong"),
        "consent": consent,
        "error": await rp.authorize(client_id="nobody"),
        "home page": await auth.browser().open("/"),
        "signed in": await rp.browser.open("/"),
        "log out": (confirmation := await rp.browser.open("/logout")),
        "cross-origin form": await rp.browser.submit(confirmation, origin=OTHER_ORIGIN),
        "logged out": await rp.browser.submit(confirmation),
    }


async def test_every_page_has_strict_security_headers_and_is_not_stored(auth: AuthService) -> None:
    for name, page in (await every_page(auth)).items():
        assert page.headers["content-type"] == "text/html; charset=utf-8", name
        csp = page.headers["content-security-policy"]
        assert "default-src 'none'" in csp, name
        assert "frame-ancestors 'none'" in csp, name
        assert "base-uri 'none'" in csp, name
        assert "unsafe" not in csp, name
        assert "script-src" not in csp, name
        assert page.headers["cache-control"] == "no-store", name
        assert page.headers["referrer-policy"] == "same-origin", name
        assert page.headers["x-content-type-options"] == "nosniff", name


async def test_a_page_has_no_script_and_loads_nothing_from_other_origins(auth: AuthService) -> None:
    for name, page in (await every_page(auth)).items():
        assert "<script" not in page.text, name
        assert not re.findall(r"\son[a-z]+=", page.text), name
        assert not re.findall(r'(?:src|action|<link[^>]* href)="(?!/|data:)', page.text), name
        assert not re.findall(r'"//', page.text), name


async def test_a_response_that_is_not_a_page_may_load_nothing(auth: AuthService) -> None:
    for path in ("/jwks", "/.well-known/openid-configuration", "/userinfo", "/nowhere", "/healthz"):
        response = await auth.http().get(path)
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_hsts_is_sent_for_a_year_under_https_only(auth_database_url: str, auth: AuthService) -> None:
    assert (await auth.http().get("/")).headers["strict-transport-security"] == "max-age=31536000"
    async with running_auth_service(auth_database_url, issuer="http://localhost:8000") as plain:
        assert "strict-transport-security" not in (await plain.http().get("/")).headers


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", "/userinfo"]
)
async def test_public_documents_may_be_read_from_any_origin(auth: AuthService, path: str) -> None:
    response = await auth.http().get(path, headers={"Origin": OTHER_ORIGIN})
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-expose-headers"] == "WWW-Authenticate, ETag, Link, Retry-After"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_token_endpoints_may_be_called_from_origins_of_public_clients_only(auth: AuthService, path: str) -> None:
    http = auth.http()
    for origin in (SPA, "http://127.0.0.1"):
        response = await http.post(path, headers={"Origin": origin})
        assert response.headers["access-control-allow-origin"] == origin
        assert "Origin" in response.headers["vary"]
        assert "access-control-allow-credentials" not in response.headers
    for origin in (
        OTHER_ORIGIN,
        "null",
        "https://app-one.example.org",
        f"{SPA}:8443",
        f"{SPA}.evil.example",
        "http://spa.example.org",
    ):
        response = await http.post(path, headers={"Origin": origin})
        assert "access-control-allow-origin" not in response.headers
        assert "Origin" in response.headers["vary"]


async def test_a_preflight_is_answered_by_the_same_rules(auth: AuthService) -> None:
    http = auth.http()
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = await http.options("/token", headers={"Origin": SPA} | asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, SPA)
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    refused = await http.options("/token", headers={"Origin": OTHER_ORIGIN} | asked)
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)


@pytest.mark.parametrize("path", ["/authorize", "/login", "/consent", "/logout", "/introspect", "/"])
async def test_other_endpoints_are_closed_to_scripts_of_other_origins(auth: AuthService, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        headers = {"Origin": SPA, "Access-Control-Request-Method": "POST"}
        response = await auth.http().request(method, path, headers=headers)
        assert "access-control-allow-origin" not in response.headers


async def test_an_error_may_be_read_from_the_same_origins_as_a_success(rp: RelyingParty) -> None:
    response = await rp.http.post("/token", data={"grant_type": "x"}, headers={"Origin": SPA})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, SPA)


async def test_a_running_service_is_healthy_and_ready(auth: AuthService) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await auth.http().get(path)).json() == {"status": "ok"}


async def test_without_its_store_the_service_is_healthy_but_not_ready_and_sends_retry_after(
    auth: AuthService, rp: RelyingParty
) -> None:
    await rp.tokens()
    code = await rp.authorization_code()
    provider: Provider = auth.app.state.provider
    await provider.store.close()
    assert (await auth.http().get("/healthz")).status_code == 200
    for response in (await auth.http().get("/readyz"), await rp.token(code), await rp.authorize()):
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (await rp.token(code)).json()["error"] == "temporarily_unavailable"
    # The keys are in memory.
    assert (await auth.http().get("/jwks")).status_code == 200


async def test_an_unknown_path_is_not_found(auth: AuthService) -> None:
    response = await auth.http().get("/nowhere")
    assert (response.status_code, response.json()) == (404, {"error": "not_found"})
    assert str(response.url).startswith(ISSUER)


@pytest.mark.parametrize("path", ["/jwks", "/status-lists/1", "/status-lists", "/healthz", "/readyz", "/", "/nowhere"])
async def test_head_has_the_headers_of_get_and_no_content(auth: AuthService, path: str) -> None:
    http = auth.http()
    head, get = await http.head(path), await http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers.get("content-length") == get.headers.get("content-length")
    assert head.headers.get("etag") == get.headers.get("etag")
