"""RP-Initiated Logout 1.0: a client sends the browser to sign out. Without a hint of this login, the user is asked."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from auth_service.store.clients import clients
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import OTHER_EMAIL
from tests.support.relying_party import RelyingParty, answer_of, header_of

RETURN_URI = "https://app-one.example.org/"


async def log_out(rp: RelyingParty, **parameters: str) -> httpx.Response:
    return await rp.browser.open(f"/logout?{urlencode(parameters)}")


async def is_signed_in(rp: RelyingParty) -> bool:
    return "code" in answer_of(await rp.authorize(prompt="none"))


@pytest.mark.postgresql
async def test_a_hint_of_this_login_signs_out_and_redirects_without_a_question(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI, state="a b&c")
    assert (response.status_code, response.headers["location"]) == (303, f"{RETURN_URI}?state=a+b%26c")
    assert not await is_signed_in(rp)


async def test_without_a_post_logout_redirect_uri_a_page_is_shown(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, client_id="app-one")
    assert (response.status_code, "You are signed out" in response.text) == (200, True)
    assert not await is_signed_in(rp)


@pytest.mark.postgresql
async def test_an_expired_hint_is_accepted(rp: RelyingParty, clock: MovableClock) -> None:
    hint = (await rp.tokens())["id_token"]
    clock.advance(seconds=7 * 3600)
    assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)).status_code == 303


@pytest.mark.postgresql
async def test_sign_out_revokes_the_tokens_of_every_client(auth: AuthService, rp: RelyingParty) -> None:
    two = auth.relying_party("app-two", rp.browser)
    ones, twos = await rp.tokens(), await two.tokens()
    await log_out(rp, id_token_hint=ones["id_token"])
    for client, tokens in ((rp, ones), (two, twos)):
        assert (await client.refresh(tokens["refresh_token"])).status_code == 400
        assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_sign_out_does_not_affect_another_browser(auth: AuthService, rp: RelyingParty) -> None:
    elsewhere = auth.relying_party("app-one")
    tokens = await elsewhere.tokens()
    await log_out(rp, id_token_hint=(await rp.tokens())["id_token"])
    assert await is_signed_in(elsewhere)
    assert (await elsewhere.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.postgresql
async def test_without_a_hint_the_user_returns_to_the_named_client_after_a_confirmation(rp: RelyingParty) -> None:
    """§3: the confirmation is the other means of confirming that the target is legitimate."""
    await rp.sign_in()
    page = await log_out(rp, client_id="app-one", post_logout_redirect_uri=RETURN_URI, state="s")
    assert 'id="log-out"' in page.text
    assert "App One" in page.text
    assert "app-one.example.org" in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == f"{RETURN_URI}?state=s"
    assert not await is_signed_in(rp)


async def test_without_a_hint_and_a_login_there_is_no_redirect(rp: RelyingParty) -> None:
    """Anyone can write such a link, and the user has not confirmed it."""
    page = await log_out(rp, client_id="app-one", post_logout_redirect_uri=RETURN_URI, state="s")
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert f'href="{RETURN_URI}?state=s"' in page.text


@pytest.mark.parametrize(
    "named", [{}, {"client_id": "app-two"}, {"client_id": "nobody"}, {"client_id": "app-one", "id_token_hint": "x"}]
)
async def test_without_a_hint_an_address_of_another_client_is_not_followed(
    rp: RelyingParty, named: dict[str, str]
) -> None:
    await rp.sign_in()
    confirmed = await rp.browser.submit(await log_out(rp, post_logout_redirect_uri=RETURN_URI, **named))
    assert (confirmed.status_code, "You are signed out" in confirmed.text) == (200, True)
    assert "We did not send you back to the app" in confirmed.text
    assert RETURN_URI not in confirmed.text
    assert not await is_signed_in(rp)


async def test_with_a_hint_of_another_user_the_user_is_asked_first(auth: AuthService, rp: RelyingParty) -> None:
    hint = (await auth.relying_party("app-one").tokens())["id_token"]
    await rp.browser.sign_in(await rp.authorize(), username=OTHER_EMAIL)
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)
    assert "App One" in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == RETURN_URI
    assert not await is_signed_in(rp)


@pytest.mark.postgresql
async def test_with_a_hint_of_an_earlier_login_the_user_is_asked_first(auth: AuthService, rp: RelyingParty) -> None:
    """§2: the user must be asked unless the ID Token belongs to the current session."""
    earlier = (await rp.tokens())["id_token"]
    await log_out(rp, id_token_hint=earlier)
    elsewhere = (await auth.relying_party("app-one").tokens())["id_token"]
    await rp.tokens()
    for hint in (earlier, elsewhere):
        page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI, state="s")
        assert 'id="log-out"' in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == f"{RETURN_URI}?state=s"
    assert not await is_signed_in(rp)


async def test_a_refreshed_id_token_is_accepted_as_a_hint(rp: RelyingParty) -> None:
    for scope in ("openid", "openid offline_access"):
        tokens = await rp.tokens(scope=scope, prompt="consent" if "offline" in scope else None)
        hint = (await rp.refresh(tokens["refresh_token"])).json()["id_token"]
        assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)).headers[
            "location"
        ] == RETURN_URI


@pytest.mark.postgresql
async def test_a_hint_of_a_retired_key_is_accepted_and_of_a_withdrawn_key_is_not(
    auth: AuthService, rp: RelyingParty, clock: MovableClock
) -> None:
    key_ring = auth.app.state.provider.key_ring
    hint = (await rp.tokens())["id_token"]
    assert await key_ring.rotate() is not None
    for _ in range(24):
        clock.advance(seconds=3600)
        assert (await rp.authorize(prompt="none")).status_code == 303  # keeps the login session in use
    kid = header_of(hint)["kid"]
    assert kid not in {key["kid"] for key in (await auth.http().get("/jwks")).json()["keys"]}
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)
    assert page.headers["location"] == RETURN_URI
    await key_ring.withdraw(kid)
    await rp.sign_in()
    assert "location" not in (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)).headers
    assert await is_signed_in(rp)


@pytest.mark.parametrize("parameter", ["ui_locales", "logout_hint", "resource", "anything"])
async def test_unknown_logout_parameters_are_ignored(rp: RelyingParty, parameter: str) -> None:
    hint = (await rp.tokens())["id_token"]
    known = {"id_token_hint": hint, "post_logout_redirect_uri": RETURN_URI, "state": "s"}
    response = await log_out(rp, **known, **{parameter: "fr-CA en"})
    assert response.headers["location"] == f"{RETURN_URI}?state=s"


@pytest.mark.parametrize("state", ["s" * 1000, "a=b&c=d#e?f/g%20+", "\u00e9\u4e16 \r\n\t", '{"a": [1]}'])
async def test_state_is_the_only_parameter_that_is_returned(rp: RelyingParty, state: str) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI, state=state)
    sent_to = urlsplit(response.headers["location"])
    assert sent_to._replace(query="").geturl() == RETURN_URI
    assert parse_qsl(sent_to.query, strict_parsing=True) == [("state", state)]


@pytest.mark.postgresql
async def test_there_is_no_redirect_to_a_disabled_client(auth: AuthService, rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    await auth.look_again()
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)
    assert (page.status_code, RETURN_URI in page.text) == (200, False)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://app-one.example.org",
        "https://app-one.example.org/?x=1",
        "https://app-one.example.org/callback",
        "https://app-two.example.org/",
        "javascript:alert(1)",
    ],
)
async def test_an_unregistered_post_logout_redirect_uri_is_refused_and_the_user_signed_out(
    rp: RelyingParty, uri: str
) -> None:
    """§3: there must be no redirect. The user is signed out nevertheless."""
    hint = (await rp.tokens())["id_token"]
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=uri)
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert "the address that it asked for is not registered" in page.text
    assert 'id="error">invalid_request<' in page.text
    assert uri not in page.text
    assert not await is_signed_in(rp)


async def test_a_client_id_that_differs_from_the_hint_is_refused(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    page = await log_out(rp, id_token_hint=hint, client_id="app-two")
    assert (page.status_code, "two different apps" in page.text) == (400, True)
    assert await is_signed_in(rp)


async def test_a_repeated_logout_parameter_has_its_own_error_text(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    page = await rp.browser.open(f"/logout?{urlencode({'id_token_hint': hint})}&state=a&state=b")
    assert (page.status_code, "more than once" in page.text) == (400, True)
    assert await is_signed_in(rp)


async def test_a_hint_that_is_not_an_own_id_token_is_ignored(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for hint in (tokens["access_token"], tokens["id_token"][:-4] + "AAAA", "x"):
        page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)
        assert 'id="log-out"' in page.text
    assert await is_signed_in(rp)


async def test_the_confirmation_form_works_only_in_its_own_login_session(auth: AuthService, rp: RelyingParty) -> None:
    await rp.sign_in()
    victim = auth.relying_party("app-one")
    await victim.sign_in()
    page = await log_out(rp)
    assert (await victim.browser.submit(page)).status_code == 403
    assert await is_signed_in(victim)


async def test_a_sign_out_form_of_another_origin_is_refused(rp: RelyingParty) -> None:
    await rp.sign_in()
    page = await log_out(rp)
    for origin in ("https://evil.example", "null", ""):
        assert (await rp.browser.submit(page, origin=origin)).status_code == 403
    assert (await rp.browser.submit(page, csrf="x")).status_code == 403
    assert await is_signed_in(rp)


async def test_a_logout_request_may_be_posted(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    redirect = await rp.http.post("/logout", data={"id_token_hint": hint, "post_logout_redirect_uri": RETURN_URI})
    assert (await rp.browser.open(redirect.headers["location"])).headers["location"] == RETURN_URI
    assert not await is_signed_in(rp)


async def test_a_posted_logout_request_with_a_repeated_parameter_is_refused(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    body = urlencode([("id_token_hint", hint), ("state", "a"), ("state", "b")])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await rp.http.post("/logout", content=body, headers=form)).status_code == 400
    assert (await rp.http.post("/logout", json={"id_token_hint": hint})).status_code == 400
    assert await is_signed_in(rp)


async def test_a_user_without_a_login_sees_that_they_are_signed_out(auth: AuthService, rp: RelyingParty) -> None:
    assert "You are signed out" in (await log_out(rp)).text
    hint = (await auth.relying_party("app-one").tokens())["id_token"]
    assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=RETURN_URI)).headers[
        "location"
    ] == RETURN_URI


@pytest.mark.parametrize("query", ["state=%00", "state=%FF", "state=a&state=b"])
async def test_a_malformed_logout_request_gets_a_page(rp: RelyingParty, query: str) -> None:
    assert (await rp.browser.open(f"/logout?{query}")).status_code == 400
