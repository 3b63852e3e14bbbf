"""A browser's login, and the refresh tokens that a client gets after it."""

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from bench.services import APP, EMAIL, PASSWORD, REDIRECT_URI, SECRET, Services


def login_form(services: Services) -> str:
    """Return a body of POST /login for an authorization request. It can be sent many times."""
    with httpx.Client(base_url=services.issuer, follow_redirects=True) as browser:
        return _filled_in(browser.get("/authorize", params=_authorization_request()))


def refresh_tokens(services: Services, count: int) -> list[str]:
    """Log in once, and return the refresh tokens of `count` token families."""
    with httpx.Client(base_url=services.issuer) as browser:
        page = browser.get("/authorize", params=_authorization_request(), follow_redirects=True)
        headers = {"Origin": services.issuer, "Content-Type": "application/x-www-form-urlencoded"}
        browser.post("/login", content=_filled_in(page), headers=headers)
        return [_refresh_token(browser) for _ in range(count)]


def _refresh_token(browser: httpx.Client) -> str:
    answer = browser.get("/authorize", params=_authorization_request())
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    token: str = browser.post("/token", data=form, auth=(APP, SECRET)).raise_for_status().json()["refresh_token"]
    return token


def _authorization_request() -> dict[str, str]:
    return {"response_type": "code", "client_id": APP, "redirect_uri": REDIRECT_URI, "scope": "notes:read"}


def _filled_in(login_page: httpx.Response) -> str:
    found = re.search(r'name="request" value="([^"]+)"', login_page.raise_for_status().text)
    if found is None:
        raise RuntimeError("the login page has no hidden field `request`")
    return urlencode({"request": html.unescape(found[1]), "username": EMAIL, "password": PASSWORD})
