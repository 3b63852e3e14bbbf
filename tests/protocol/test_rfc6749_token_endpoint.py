"""The form of token requests and error responses (RFC 6749 §3.2, §5.2): no input is answered with a 500."""

import json
import re
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.auth_service import AuthService
from tests.support.declared import secret_of
from tests.support.relying_party import basic, error_of

FORM = "application/x-www-form-urlencoded"
GOOD = b"grant_type=client_credentials&scope=notes:read"


async def ask(
    auth: AuthService, content: bytes, *, content_type: str | None = FORM, path: str = "/token"
) -> httpx.Response:
    headers = {"Authorization": basic("bot", secret_of("bot"))}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await auth.http().post(path, content=content, headers=headers)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", FORM.upper(), f" {FORM} ;x=y"])
async def test_a_form_is_accepted_with_any_media_type_parameters(auth: AuthService, content_type: str) -> None:
    assert (await ask(auth, GOOD, content_type=content_type)).status_code == 200


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "multipart/form-data; boundary=x"])
async def test_another_media_type_is_refused(auth: AuthService, content_type: str | None) -> None:
    assert error_of(await ask(auth, GOOD, content_type=content_type)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_request"),
        (b"scope=notes:read", "invalid_request"),
        (b"grant_type=&scope=notes:read", "invalid_request"),
        (b"grant_type=password&username=ada&password=x", "unsupported_grant_type"),
        (b"grant_type=urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"),
        (b"grant_type=client_credentials+", "unsupported_grant_type"),
        (b"grant_type=authorization_code&code=x", "unauthorized_client"),
        (b"grant_type=refresh_token&refresh_token=x", "unauthorized_client"),
        (GOOD + b"&grant_type=client_credentials", "invalid_request"),
        (GOOD + b"&scope=notes:read", "invalid_request"),
        (GOOD + b"&extension=1&extension=2", "invalid_request"),
        (GOOD + b"&state=%00", "invalid_request"),
        (GOOD + b"&state=%FF", "invalid_request"),
        (GOOD + b"&state=%ED%A0%80", "invalid_request"),  # half a surrogate pair
        (GOOD + b"&state=\xff", "invalid_request"),
        (GOOD + "&state=é".encode(), "invalid_request"),
        (GOOD + b"&x=1" * 200, "invalid_request"),
        (GOOD + b"%00", "invalid_request"),
    ],
)
async def test_a_malformed_request_is_refused_with_the_error_of_the_rfc(
    auth: AuthService, body: bytes, error: str
) -> None:
    response = await ask(auth, body)
    assert error_of(response) == (400, error)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
async def test_a_body_that_is_too_large_is_answered_413(auth: AuthService, path: str) -> None:
    assert (await ask(auth, GOOD + b"&x=" + b"x" * 70_000, path=path)).status_code == 413


async def test_an_empty_parameter_is_treated_as_omitted(auth: AuthService) -> None:
    assert (await ask(auth, b"grant_type=client_credentials&scope=&resource=&unknown=")).status_code == 200


async def test_parameters_in_the_url_are_ignored(auth: AuthService) -> None:
    query = urlencode({"grant_type": "client_credentials"})
    assert error_of(await ask(auth, b"scope=notes:read", path=f"/token?{query}")) == (400, "invalid_request")


async def test_get_is_not_allowed(auth: AuthService) -> None:
    response = await auth.http().get("/token?grant_type=client_credentials")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect", "/userinfo", "/nowhere"])
async def test_an_error_description_has_only_allowed_characters_and_repeats_no_input(
    auth: AuthService, path: str
) -> None:
    """RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E."""
    evil = '<script>"\\é\n'
    for body in (
        {"grant_type": evil},
        {"grant_type": "client_credentials", "scope": evil},
        {"grant_type": "client_credentials", "resource": evil},
        {"grant_type": "client_credentials", evil: evil},
        {"token": evil},
        {"access_token": evil},
    ):
        response = await ask(auth, urlencode(body).encode(), path=path)
        assert response.status_code < 500
        described = json.loads(response.content or b"{}").get("error_description", "")
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", described)
        assert "<" not in response.text
