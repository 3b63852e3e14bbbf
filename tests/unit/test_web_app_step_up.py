"""Step-up authentication (RFC 9470) in the example app: challenge, new login, and a second confirmation."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app.challenge import step_up_parameters
from examples.web_app.sessions import AppSession, User
from tests.support.web_app import ADA, ISSUER, Upstream, open_session

CHALLENGE = (
    'Bearer error="insufficient_user_authentication", error_description="needs a login at most 300 seconds ago", '
    f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource", max_age="300"'
)
PAGE = "/delete-all-notes"


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        (CHALLENGE, {"max_age": "300"}),
        (CHALLENGE + ', acr_values="urn:a b"', {"max_age": "300", "acr_values": "urn:a b"}),
        ('bearer  max_age=5 ,ERROR="insufficient_user_authentication"', {"max_age": "5"}),
        ('Bearer error="insufficient_user_authentication",acr_values="a"', {"acr_values": "a"}),
        ('Bearer error="insufficient_user_authentication", max_age="0"', {"max_age": "0"}),
    ],
)
def test_step_up_challenge_is_parsed(header: str, parameters: dict[str, str]) -> None:
    assert step_up_parameters([header]) == parameters


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        [CHALLENGE, CHALLENGE],
        [f"{CHALLENGE}, {CHALLENGE}"],
        [f"DPoP a=b, {CHALLENGE}"],
        [CHALLENGE.replace("Bearer", "DPoP")],
        [CHALLENGE.replace("insufficient_user_authentication", "invalid_token")],
        [CHALLENGE.replace("insufficient_user_authentication", "insufficient_scope")],
        [CHALLENGE.replace(', max_age="300"', "")],
        [CHALLENGE + ', max_age="1"'],
        [CHALLENGE + ', error="invalid_token"'],
        [CHALLENGE + ","],
        [CHALLENGE + " x"],
        [CHALLENGE.replace("300", "")],
        [CHALLENGE.replace('"300"', '"-1"')],
        [CHALLENGE.replace('"300"', '"1e3"')],
        [CHALLENGE.replace('"300"', '"1234567890"')],
        [CHALLENGE.replace('"300"', '"300&prompt=none"')],
        [CHALLENGE.replace('"300"', '"٣"')],
        [CHALLENGE.replace('"300"', '"3\n"')],
        [CHALLENGE + ', acr_values=""'],
        [CHALLENGE + ', acr_values=" a"'],
        [CHALLENGE + ', acr_values="a  b"'],
        [CHALLENGE + ', acr_values="a\\"b"'],
        [CHALLENGE + f', acr_values="{"a" * 257}"'],
        [CHALLENGE + f', x="{"a" * 2048}"'],
        ["Bearer " + "a=b, " * 10_000],
    ],
)
def test_other_challenges_are_ignored(headers: list[str]) -> None:
    assert step_up_parameters(headers) is None


def submit_deletion(browser: TestClient, session: AppSession) -> httpx2.Response:
    return browser.post(PAGE, data={"csrf_token": session.csrf_token})


def authorization_request(answer: httpx2.Response) -> dict[str, str]:
    """Return the parameters of the authorization request to which the app redirects."""
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{ISSUER}/authorization?")
    return {name: value for name, (value,) in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def finish_login(browser: TestClient, upstream: Upstream, request: dict[str, str], *, user: User = ADA) -> str:
    """Return from the issuer, where `user` has logged in; return the path to which the app redirects."""
    upstream.id_claims = {"sub": user.sub, "nonce": request["nonce"], "sid": "login-2"}
    answer = browser.get("/callback", params={"code": "c", "state": request["state"], "iss": ISSUER})
    assert answer.status_code == 303
    return answer.headers["location"]


def csrf_token(page: httpx2.Response) -> str:
    return page.text.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_recent_login_deletes_after_one_confirmation(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    page = browser.get(PAGE)
    assert 'id="delete-all-for-good"' in page.text
    assert "Ada &lt;b&gt;" in page.text
    assert upstream.deletions == []
    answer = submit_deletion(browser, app_session)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert upstream.deletions == ["Bearer access-1"]
    assert "All your notes are deleted" in browser.get("/").text


def test_old_login_is_sent_to_the_issuer_and_has_to_confirm_again(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    upstream.challenge = CHALLENGE + ', acr_values="urn:a b"'
    request = authorization_request(submit_deletion(browser, app_session))
    assert (request["max_age"], request["acr_values"], request["login_hint"]) == ("300", "urn:a b", ADA.email)
    assert upstream.token_requests == 0, "a refresh does not make the login more recent"
    upstream.challenge = None
    assert finish_login(browser, upstream, request) == PAGE
    page = browser.get(PAGE)
    assert "nothing is deleted yet" in page.text
    assert upstream.deletions == ["Bearer access-1"], "the first attempt only"
    assert browser.post(PAGE, data={"csrf_token": csrf_token(page)}).headers["location"] == "/"
    assert len(upstream.deletions) == 2


def test_login_that_is_still_too_old_is_sent_again_only_after_a_confirmation(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    upstream.challenge = CHALLENGE
    assert finish_login(browser, upstream, authorization_request(submit_deletion(browser, app_session))) == PAGE
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert authorization_request(browser.post(PAGE, data={"csrf_token": csrf_token(page)}))["max_age"] == "300"


def test_other_user_sees_their_own_name_and_forms_of_the_first_user_are_refused(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    upstream.challenge = CHALLENGE
    request = authorization_request(submit_deletion(browser, app_session))
    upstream.challenge = None
    finish_login(browser, upstream, request, user=User("sub-of-grace", "Grace", "g@e.com"))
    page = browser.get(PAGE)
    assert "Grace" in page.text
    assert "Ada" not in page.text
    assert submit_deletion(browser, app_session).status_code == 403, "a form of Ada's page"
    assert upstream.deletions == ["Bearer access-1"]


def test_other_sign_in_returns_to_the_first_page(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    upstream.challenge = CHALLENGE
    to_delete = authorization_request(submit_deletion(browser, app_session))
    in_another_tab = authorization_request(browser.get("/sign-in"))
    assert finish_login(browser, upstream, in_another_tab) == "/"
    assert finish_login(browser, upstream, to_delete) == PAGE, "it is not finished yet"
    assert finish_login(browser, upstream, authorization_request(browser.get("/sign-in"))) == "/"


def test_failed_login_keeps_the_session(browser: TestClient, app_session: AppSession, upstream: Upstream) -> None:
    upstream.challenge = CHALLENGE
    request = authorization_request(submit_deletion(browser, app_session))
    refused = {"error": "unmet_authentication_requirements", "state": request["state"], "iss": ISSUER}
    assert browser.get("/callback", params=refused).headers["location"] == "/"
    page = browser.get("/")
    assert 'id="user-name"' in page.text
    assert "cannot ask for the kind of login" in page.text


def test_state_of_three_sign_ins_fits_into_one_cookie(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    long = replace(app_session, user=User("s", "n", f"{'e' * 248}@e.com"))
    browser.cookies.set("session", open_session(browser, long), domain="app-one.localhost")
    upstream.challenge = CHALLENGE + f', acr_values="{"a" * 256}"'
    for _ in range(4):
        answer = submit_deletion(browser, app_session)
    assert len(answer.headers["set-cookie"].partition(";")[0]) < 4096


def test_malformed_challenge_does_not_start_a_sign_in(
    browser: TestClient, app_session: AppSession, upstream: Upstream
) -> None:
    upstream.challenge = CHALLENGE.replace("300", "soon")
    answer = submit_deletion(browser, app_session)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your login has ended" in browser.get("/").text
