"""CORS: the configured origins may call the API, any origin may read the metadata."""

import pytest

from tests.support.notes_api import APP_ORIGIN, NotesApi

METADATA = "/.well-known/oauth-protected-resource"
OTHER_ORIGIN = "https://evil.example"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_allowed_origin_may_send_the_methods_and_headers_of_the_api(quick_api: NotesApi, method: str) -> None:
    preflight = await quick_api.anyone(
        **{
            "Origin": APP_ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,if-match,if-none-match",
        }
    ).options("/notes")
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == APP_ORIGIN
    assert method in preflight.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers


async def test_allowed_origin_may_read_responses_and_refusals(quick_api: NotesApi) -> None:
    ada = quick_api.caller("ada")
    ada.headers["Origin"] = APP_ORIGIN
    for response in (
        await ada.post("/notes", json={"title": "x"}),
        await ada.get("/notes"),
        await ada.get("/nothing"),
        await ada.post("/notes", json={}),
        await quick_api.anyone(Origin=APP_ORIGIN).get("/notes"),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == APP_ORIGIN
        assert "Origin" in response.headers["Vary"]
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert {"WWW-Authenticate", "ETag", "Link"} <= set(exposed.split(", "))


@pytest.mark.parametrize(
    "origin", [OTHER_ORIGIN, "null", APP_ORIGIN.upper(), f"{APP_ORIGIN}/", f"{APP_ORIGIN}.evil.example"]
)
async def test_other_origin_may_read_nothing(quick_api: NotesApi, origin: str) -> None:
    ada = quick_api.caller("ada")
    ada.headers["Origin"] = origin
    assert "Access-Control-Allow-Origin" not in (await ada.get("/notes")).headers
    ada.headers["Access-Control-Request-Method"] = "GET"
    assert "Access-Control-Allow-Origin" not in (await ada.options("/notes")).headers


@pytest.mark.parametrize("origin", [OTHER_ORIGIN, APP_ORIGIN, "null"])
async def test_any_origin_may_read_the_metadata(quick_api: NotesApi, origin: str) -> None:
    reader = quick_api.anyone(Origin=origin)
    assert (await reader.get(METADATA)).headers.get_list("Access-Control-Allow-Origin") == ["*"]
    reader.headers["Access-Control-Request-Method"] = "GET"
    reader.headers["Access-Control-Request-Headers"] = "mcp-protocol-version"
    preflight = await reader.options(METADATA)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def test_every_response_has_security_headers(quick_api: NotesApi) -> None:
    for path in ("/notes", "/nothing", "/healthz", METADATA, "/docs"):
        headers = (await quick_api.anyone().get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "max-age" in headers["Strict-Transport-Security"]  # the audience is https
