"""The example app meets RFC 9470: it reads the challenge, sends the user to log in, and deletes only at a click."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app.challenge import step_up
from examples.web_app.sessions import AppSession, User
from tests.support.web_app import ADA, ISSUER, FarSide

CHALLENGE = (
    'Bearer error="insufficient_user_authentication", error_description="needs a login at most 300 seconds ago", '
    f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource", max_age="300"'
)
PAGE = "/delete-all-notes"


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (CHALLENGE, {"max_age": "300"}),
        (CHALLENGE + ', acr_values="urn:a b"', {"max_age": "300", "acr_values": "urn:a b"}),
        ('bearer  max_age=5 ,ERROR="insufficient_user_authentication"', {"max_age": "5"}),
        ('Bearer error="insufficient_user_authentication",acr_values="a"', {"acr_values": "a"}),
        ('Bearer error="insufficient_user_authentication", max_age="0"', {"max_age": "0"}),
    ],
)
def test_a_challenge_for_another_login_is_read(header: str, asked: dict[str, str]) -> None:
    assert step_up([header]) == asked


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
def test_anything_else_is_a_refusal_like_others(headers: list[str]) -> None:
    assert step_up(headers) is None


def ask_to_delete(browser: TestClient, session: AppSession) -> httpx2.Response:
    return browser.post(PAGE, data={"csrf_token": session.csrf_token})


def sent_to(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of the authorization request."""
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{ISSUER}/authorization?")
    return {name: value for name, (value,) in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def come_back(browser: TestClient, far_side: FarSide, request: dict[str, str], *, user: User = ADA) -> str:
    """From the issuer, where `user` has logged in; returns where the app goes on."""
    far_side.id_claims = {"sub": user.sub, "nonce": request["nonce"], "sid": "login-2"}
    answer = browser.get("/callback", params={"code": "c", "state": request["state"], "iss": ISSUER})
    assert answer.status_code == 303
    return answer.headers["location"]


def csrf_token(page: httpx2.Response) -> str:
    return page.text.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_a_fresh_login_deletes_at_the_second_click(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    page = browser.get(PAGE)
    assert 'id="delete-all-for-good"' in page.text
    assert "Ada &lt;b&gt;" in page.text
    assert far_side.deletions == []
    answer = ask_to_delete(browser, app_session)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert far_side.deletions == ["Bearer access-1"]
    assert "All your notes are deleted" in browser.get("/").text


def test_an_old_login_is_sent_to_the_issuer_and_deletes_at_one_click_more(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE + ', acr_values="urn:a b"'
    request = sent_to(ask_to_delete(browser, app_session))
    assert (request["max_age"], request["acr_values"], request["login_hint"]) == ("300", "urn:a b", ADA.email)
    assert far_side.token_requests == 0, "a refreshed token is no fresher login"
    far_side.challenge = None
    assert come_back(browser, far_side, request) == PAGE
    page = browser.get(PAGE)
    assert "nothing is deleted yet" in page.text
    assert far_side.deletions == ["Bearer access-1"], "the first attempt, and no other until the click"
    assert browser.post(PAGE, data={"csrf_token": csrf_token(page)}).headers["location"] == "/"
    assert len(far_side.deletions) == 2


def test_a_login_that_is_still_too_old_is_sent_once_more_and_never_by_itself(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE
    assert come_back(browser, far_side, sent_to(ask_to_delete(browser, app_session))) == PAGE
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert sent_to(browser.post(PAGE, data={"csrf_token": csrf_token(page)}))["max_age"] == "300"


def test_whoever_signs_in_instead_sees_their_own_name_and_old_forms_are_dead(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE
    request = sent_to(ask_to_delete(browser, app_session))
    far_side.challenge = None
    come_back(browser, far_side, request, user=User("sub-of-grace", "Grace", "g@e.com"))
    page = browser.get(PAGE)
    assert "Grace" in page.text
    assert "Ada" not in page.text
    assert ask_to_delete(browser, app_session).status_code == 403, "Ada's page, in another tab"
    assert far_side.deletions == ["Bearer access-1"]


def test_another_sign_in_comes_back_to_the_first_page(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE
    to_delete = sent_to(ask_to_delete(browser, app_session))
    in_another_tab = sent_to(browser.get("/sign-in"))
    assert come_back(browser, far_side, in_another_tab) == "/"
    assert come_back(browser, far_side, to_delete) == PAGE, "which is still under way"
    assert come_back(browser, far_side, sent_to(browser.get("/sign-in"))) == "/"


def test_a_login_that_fails_leaves_everything_as_it_was(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE
    request = sent_to(ask_to_delete(browser, app_session))
    refused = {"error": "unmet_authentication_requirements", "state": request["state"], "iss": ISSUER}
    assert browser.get("/callback", params=refused).headers["location"] == "/"
    page = browser.get("/")
    assert 'id="user-name"' in page.text
    assert "cannot ask for the kind of login" in page.text


def test_the_sign_ins_of_three_tabs_fit_into_one_cookie(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    app_session.user = User("s", "n", f"{'e' * 248}@e.com")
    far_side.challenge = CHALLENGE + f', acr_values="{"a" * 256}"'
    for _ in range(4):
        answer = ask_to_delete(browser, app_session)
    assert len(answer.headers["set-cookie"].partition(";")[0]) < 4096


def test_a_challenge_that_cannot_be_read_is_no_reason_to_sign_in_again(
    browser: TestClient, app_session: AppSession, far_side: FarSide
) -> None:
    far_side.challenge = CHALLENGE.replace("300", "soon")
    answer = ask_to_delete(browser, app_session)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your login has ended" in browser.get("/").text
