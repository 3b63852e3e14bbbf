"""RP-Initiated Logout 1.0: a client sends the browser to sign out; without a hint of their own, people are asked."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from auth_service.store.clients import clients
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import OTHER_EMAIL
from tests.support.relying_party import RelyingParty, answer_of, header_of

BACK = "https://app-one.example.org/"


async def log_out(rp: RelyingParty, **parameters: str) -> httpx.Response:
    return await rp.browser.open(f"/logout?{urlencode(parameters)}")


async def is_signed_in(rp: RelyingParty) -> bool:
    return "code" in answer_of(await rp.authorize(prompt="none"))


async def test_with_the_users_own_hint_it_happens_at_once_and_leads_back(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK, state="a b&c")
    assert (response.status_code, response.headers["location"]) == (303, f"{BACK}?state=a+b%26c")
    assert not await is_signed_in(rp)


async def test_without_an_address_it_ends_on_a_page_of_ours(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, client_id="app-one")
    assert (response.status_code, "You are signed out" in response.text) == (200, True)
    assert not await is_signed_in(rp)


async def test_an_expired_hint_is_a_hint(rp: RelyingParty, clock: MovableClock) -> None:
    hint = (await rp.tokens())["id_token"]
    clock.advance(seconds=7 * 3600)
    assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)).status_code == 303


async def test_it_ends_what_the_login_gave_to_every_client(auth: AuthService, rp: RelyingParty) -> None:
    two = auth.relying_party("app-two", rp.browser)
    ones, twos = await rp.tokens(), await two.tokens()
    await log_out(rp, id_token_hint=ones["id_token"])
    for client, tokens in ((rp, ones), (two, twos)):
        assert (await client.refresh(tokens["refresh_token"])).status_code == 400
        assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_another_browser_stays_signed_in(auth: AuthService, rp: RelyingParty) -> None:
    elsewhere = auth.relying_party("app-one")
    tokens = await elsewhere.tokens()
    await log_out(rp, id_token_hint=(await rp.tokens())["id_token"])
    assert await is_signed_in(elsewhere)
    assert (await elsewhere.refresh(tokens["refresh_token"])).status_code == 200


async def test_without_a_hint_the_named_client_gets_the_user_back_after_a_confirmation(rp: RelyingParty) -> None:
    """§3: the confirmation is the other means by which the target is known to be legitimate."""
    await rp.sign_in()
    page = await log_out(rp, client_id="app-one", post_logout_redirect_uri=BACK, state="s")
    assert 'id="log-out"' in page.text
    assert "App One" in page.text
    assert "app-one.example.org" in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == f"{BACK}?state=s"
    assert not await is_signed_in(rp)


async def test_without_a_hint_and_a_login_nothing_leads_back_by_itself(rp: RelyingParty) -> None:
    """Anybody can write such a link, and no person has said yes to it."""
    page = await log_out(rp, client_id="app-one", post_logout_redirect_uri=BACK, state="s")
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert f'href="{BACK}?state=s"' in page.text


@pytest.mark.parametrize(
    "named", [{}, {"client_id": "app-two"}, {"client_id": "nobody"}, {"client_id": "app-one", "id_token_hint": "x"}]
)
async def test_without_a_hint_an_address_that_is_not_the_named_clients_leads_nowhere(
    rp: RelyingParty, named: dict[str, str]
) -> None:
    await rp.sign_in()
    confirmed = await rp.browser.submit(await log_out(rp, post_logout_redirect_uri=BACK, **named))
    assert (confirmed.status_code, "You are signed out" in confirmed.text) == (200, True)
    assert "We did not send you back to the app" in confirmed.text
    assert BACK not in confirmed.text
    assert not await is_signed_in(rp)


async def test_with_another_persons_hint_the_user_is_asked_and_then_led_back(
    auth: AuthService, rp: RelyingParty
) -> None:
    hint = (await auth.relying_party("app-one").tokens())["id_token"]
    await rp.browser.sign_in(await rp.authorize(), username=OTHER_EMAIL)
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert "App One" in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == BACK
    assert not await is_signed_in(rp)


async def test_with_a_hint_of_an_earlier_login_the_same_user_is_asked_and_then_led_back(
    auth: AuthService, rp: RelyingParty
) -> None:
    """§2: it must be asked unless the ID Token belongs to the present session."""
    earlier = (await rp.tokens())["id_token"]
    await log_out(rp, id_token_hint=earlier)
    elsewhere = (await auth.relying_party("app-one").tokens())["id_token"]
    await rp.tokens()
    for hint in (earlier, elsewhere):
        page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK, state="s")
        assert 'id="log-out"' in page.text
    assert await is_signed_in(rp)
    assert (await rp.browser.submit(page)).headers["location"] == f"{BACK}?state=s"
    assert not await is_signed_in(rp)


async def test_a_refreshed_id_token_is_a_hint_as_good_as_the_first(rp: RelyingParty) -> None:
    for scope in ("openid", "openid offline_access"):
        tokens = await rp.tokens(scope=scope, prompt="consent" if "offline" in scope else None)
        hint = (await rp.refresh(tokens["refresh_token"])).json()["id_token"]
        assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)).headers["location"] == BACK


async def test_a_hint_signed_by_a_retired_key_is_a_hint_and_by_a_withdrawn_one_none(
    auth: AuthService, rp: RelyingParty, clock: MovableClock
) -> None:
    key_ring = auth.app.state.provider.key_ring
    hint = (await rp.tokens())["id_token"]
    assert await key_ring.rotate() is not None
    for _ in range(24):
        clock.advance(seconds=3600)
        assert (await rp.authorize(prompt="none")).status_code == 303  # stays signed in
    kid = header_of(hint)["kid"]
    assert kid not in {key["kid"] for key in (await auth.http().get("/jwks")).json()["keys"]}
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert page.headers["location"] == BACK
    await key_ring.withdraw(kid)
    await rp.sign_in()
    assert "location" not in (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)).headers
    assert await is_signed_in(rp)


@pytest.mark.parametrize("parameter", ["ui_locales", "logout_hint", "resource", "anything"])
async def test_parameters_that_we_do_not_know_change_nothing(rp: RelyingParty, parameter: str) -> None:
    hint = (await rp.tokens())["id_token"]
    known = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s"}
    response = await log_out(rp, **known, **{parameter: "fr-CA en"})
    assert response.headers["location"] == f"{BACK}?state=s"


@pytest.mark.parametrize("state", ["s" * 1000, "a=b&c=d#e?f/g%20+", "\u00e9\u4e16 \r\n\t", '{"a": [1]}'])
async def test_state_comes_back_unchanged_and_nothing_beside_it(rp: RelyingParty, state: str) -> None:
    hint = (await rp.tokens())["id_token"]
    response = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK, state=state)
    sent_to = urlsplit(response.headers["location"])
    assert sent_to._replace(query="").geturl() == BACK
    assert parse_qsl(sent_to.query, strict_parsing=True) == [("state", state)]


async def test_a_disabled_client_is_led_nowhere(auth: AuthService, rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    await auth.look_again()
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert (page.status_code, BACK in page.text) == (200, False)


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
async def test_with_an_address_that_is_not_registered_it_ends_on_a_page_of_ours(rp: RelyingParty, uri: str) -> None:
    """§3: there must be no redirect. The person still wants to be signed out."""
    hint = (await rp.tokens())["id_token"]
    page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=uri)
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert "the address that it asked for is not registered" in page.text
    assert 'id="error">invalid_request<' in page.text
    assert uri not in page.text
    assert not await is_signed_in(rp)


async def test_a_hint_of_another_client_than_the_one_that_asks_is_refused(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    page = await log_out(rp, id_token_hint=hint, client_id="app-two")
    assert (page.status_code, "two different apps" in page.text) == (400, True)
    assert await is_signed_in(rp)


async def test_a_parameter_that_is_sent_twice_is_refused_in_words_of_its_own(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    page = await rp.browser.open(f"/logout?{urlencode({'id_token_hint': hint})}&state=a&state=b")
    assert (page.status_code, "more than once" in page.text) == (400, True)
    assert await is_signed_in(rp)


async def test_a_hint_that_is_no_id_token_of_ours_is_none(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for hint in (tokens["access_token"], tokens["id_token"][:-4] + "AAAA", "x"):
        page = await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)
        assert 'id="log-out"' in page.text
    assert await is_signed_in(rp)


async def test_the_confirmation_is_good_only_for_who_was_asked(auth: AuthService, rp: RelyingParty) -> None:
    await rp.sign_in()
    victim = auth.relying_party("app-one")
    await victim.sign_in()
    page = await log_out(rp)
    assert (await victim.browser.submit(page)).status_code == 403
    assert await is_signed_in(victim)


async def test_a_form_of_another_site_signs_nobody_out(rp: RelyingParty) -> None:
    await rp.sign_in()
    page = await log_out(rp)
    for origin in ("https://evil.example", "null", ""):
        assert (await rp.browser.submit(page, origin=origin)).status_code == 403
    assert (await rp.browser.submit(page, csrf="x")).status_code == 403
    assert await is_signed_in(rp)


async def test_it_may_come_by_post(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    begun = await rp.http.post("/logout", data={"id_token_hint": hint, "post_logout_redirect_uri": BACK})
    assert (await rp.browser.open(begun.headers["location"])).headers["location"] == BACK
    assert not await is_signed_in(rp)


async def test_a_post_with_a_parameter_twice_is_refused(rp: RelyingParty) -> None:
    hint = (await rp.tokens())["id_token"]
    body = urlencode([("id_token_hint", hint), ("state", "a"), ("state", "b")])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await rp.http.post("/logout", content=body, headers=form)).status_code == 400
    assert (await rp.http.post("/logout", json={"id_token_hint": hint})).status_code == 400
    assert await is_signed_in(rp)


async def test_who_is_not_signed_in_is_signed_out_already(auth: AuthService, rp: RelyingParty) -> None:
    assert "You are signed out" in (await log_out(rp)).text
    hint = (await auth.relying_party("app-one").tokens())["id_token"]
    assert (await log_out(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)).headers["location"] == BACK


@pytest.mark.parametrize("query", ["state=%00", "state=%FF", "state=a&state=b"])
async def test_a_damaged_request_gets_a_page(rp: RelyingParty, query: str) -> None:
    assert (await rp.browser.open(f"/logout?{query}")).status_code == 400
