"""The log line of a refused request has fixed words and registered names only, for any text of the caller."""

import base64
import random
import re
import string
from collections.abc import AsyncIterator

import httpx
import pytest

from tallystick.refusal_reasons import REASONS
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import secret_of
from tests.support.log_lines import logging_as_served
from tests.support.relying_party import CODE_CHALLENGE
from tests.support.scraping import scrape

ROUNDS = 150
MARK = "Zq7"
"""Every generated value contains it, and no other text does."""


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    registration = {"mode": "token", "initial_access_token": "an initial access token that is long enough"}
    async with running_auth_service(auth_sqlite_url, clock, registration=registration) as running:
        yield running


def secret(draw: random.Random) -> str:
    """A secret, a token, an email address, or an attempt to forge a line."""
    text = MARK + "".join(draw.choices(string.ascii_letters + string.digits, k=20))
    shapes = ["{}", "{}@example.com", "eyJh.{}.sig", '"}}\r\n{{"{}', "\x1b[31m{}", "<b>{}</b>", "\u202e{}", "{}+%25/"]
    return draw.choice(shapes).format(text)


def hostile(draw: random.Random) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """Method, path, parameters and headers of a good request in which some values are replaced."""
    parameters = {
        "client_id": draw.choice(["app-one", "bot", "spa"]),
        "redirect_uri": "https://app-one.example.org/callback",
        "response_type": "code",
        "scope": "openid notes:read",
        "code_challenge": CODE_CHALLENGE,
        "code_challenge_method": "S256",
        "grant_type": draw.choice(["authorization_code", "refresh_token", "client_credentials"]),
    }
    names = [*parameters, "client_secret", "code", "code_verifier", "refresh_token", "token", "resource", "state"]
    names += ["client_assertion", "client_assertion_type", "prompt", "claims", "id_token_hint", "request"]
    for name in draw.sample(names, k=draw.randint(1, 4)):
        parameters[name] = secret(draw)
    if draw.random() < 0.3:
        text = secret(draw)
        parameters["redirect_uri"] = f"https://{MARK}user:{MARK}pass@evil.example/cb?{text}#{text}"
    headers = {"X-Request-ID": f"{secret(draw)} and a space"}.copy()
    headers = {name: value.encode("ascii", "ignore").decode().replace("\r\n", "") for name, value in headers.items()}
    if draw.random() < 0.5:
        credentials = f"{draw.choice(['bot', secret(draw)])}:{draw.choice([secret(draw), secret_of('bot')])}"
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    elif draw.random() < 0.5:
        headers["Authorization"] = f"Bearer {MARK}.{MARK}.{MARK}"
    path = draw.choice(
        ["/authorize", "/token", "/introspect", "/revoke", "/userinfo", "/register", "/logout", "/login"]
    )
    if path == "/register" and draw.random() < 0.5:
        path = f"/register/{MARK}{draw.random()}"
    method = "GET" if path in ("/authorize", "/logout", "/login") or path.startswith("/register/") else "POST"
    return method, path, parameters, {name: value for name, value in headers.items() if value.isprintable()}


async def test_the_log_has_no_text_of_a_refused_request(auth: AuthService) -> None:
    draw = random.Random(11)
    before = set(await scrape(auth.http("127.0.0.1")))
    statuses = []
    with logging_as_served("DEBUG") as log:
        for number in range(ROUNDS):
            method, path, parameters, headers = hostile(draw)
            http = auth.http(f"198.51.100.{number % 250}")
            sent = {"params" if method == "GET" else "data": parameters}
            response: httpx.Response = await http.request(method, path, headers=headers, **sent)  # type: ignore[arg-type]
            statuses.append(response.status_code)
    assert max(statuses) < 500
    refused = [line for line in log.parsed if line["message"] == "refused"]
    assert len(refused) > ROUNDS / 2
    assert MARK not in log.getvalue()
    assert secret_of("bot") not in log.getvalue()
    for line in refused:
        assert line["reason"] in REASONS - {"unspecified"}, line
        assert line.get("client_id") in (None, "app-one", "bot", "spa")
        assert re.fullmatch(r"[\x20-\x7e]{0,203}", line.get("refused_address", ""))
    after = set(await scrape(auth.http("127.0.0.1")))
    assert not [series for series in after - before if MARK in series or "evil" in series]
