"""The scope of a request (RFC 6749 §3.3, OIDC Core §3.1.2.1): unknown scopes, refused scopes, and the default."""

from collections.abc import AsyncIterator

import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import CALENDAR, NOTES, clients_with
from tests.support.relying_party import RelyingParty, answer_of, claims_of, error_of


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    """With clients that are registered for few scopes."""
    clients = clients_with(
        {
            "app-two": {"scope": "openid email notes:read"},
            "third-party": {"scope": "openid email notes:read"},
            "no-pkce": {"scope": ""},
            "app-query": {"scope": "openid offline_access notes:read"},
        }
    )
    async with running_auth_service(auth_sqlite_url, clock, client=clients) as running:
        yield running


@pytest.fixture
def narrow(auth: AuthService) -> RelyingParty:
    """First-party, and registered for `openid email notes:read`."""
    return auth.relying_party("app-two")


async def test_unknown_scopes_are_left_out_and_the_response_names_the_granted_ones(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid groups email notes:read custom")
    assert tokens["scope"] == claims_of(tokens["access_token"])["scope"] == "openid email notes:read"


async def test_the_consent_page_does_not_show_an_unknown_scope(auth: AuthService) -> None:
    third = auth.relying_party("third-party")
    page = await third.sign_in(scope="openid notes:read groups")
    assert "groups" not in page.text
    assert "Read your notes" in page.text
    assert "code" in answer_of(await third.browser.allow(page))
    assert "code" in answer_of(await third.authorize(scope="openid notes:read groups", prompt="none"))


@pytest.mark.parametrize("scope", ["openid groups notes:write email", "notes:write", "openid calendar:read profile"])
async def test_a_known_scope_that_the_client_is_not_registered_for_is_refused_and_named(
    narrow: RelyingParty, scope: str
) -> None:
    answer = answer_of(await narrow.authorize(scope=scope))
    refused = next(word for word in scope.split() if ":" in word)
    assert (answer["error"], answer["error_description"]) == (
        "invalid_scope",
        f"this client may not have the scope {refused}",
    )


async def test_a_request_with_unknown_scopes_only_is_refused(rp: RelyingParty) -> None:
    answer = answer_of(await rp.authorize(scope="groups admin"))
    assert (answer["error"], answer["error_description"]) == ("invalid_scope", "the scope 'groups' is not known here")


async def test_without_a_scope_the_client_gets_its_registered_scopes(narrow: RelyingParty) -> None:
    assert (await narrow.tokens(scope=None))["scope"] == "openid email notes:read"


async def test_offline_access_is_not_granted_by_default(auth: AuthService) -> None:
    lasting = auth.relying_party("app-query")
    assert (await lasting.tokens(scope=None))["scope"] == "openid notes:read"
    assert "offline_access" in (await lasting.tokens(scope="openid offline_access"))["scope"]


async def test_without_a_scope_the_consent_page_shows_the_registered_ones(auth: AuthService) -> None:
    third = auth.relying_party("third-party")
    page = await third.sign_in(scope=None)
    for text in ("See your email address", "Read your notes"):
        assert text in page.text
    answer = answer_of(await third.browser.allow(page))
    assert (await third.token(answer["code"])).json()["scope"] == "openid email notes:read"


async def test_without_a_scope_a_resource_limits_the_default_to_its_scopes(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope=None, resource=f"{NOTES}/")
    assert (tokens["scope"], claims_of(tokens["access_token"])["aud"]) == ("notes:read notes:write", NOTES)
    assert (await rp.tokens(scope=None, resource=CALENDAR))["scope"] == "calendar:read"


async def test_without_a_scope_and_a_resource_registered_scopes_of_two_apis_are_refused(rp: RelyingParty) -> None:
    assert answer_of(await rp.authorize(scope=None))["error"] == "invalid_target"


async def test_without_a_scope_a_client_without_registered_scopes_is_refused(auth: AuthService) -> None:
    assert answer_of(await auth.relying_party("no-pkce").authorize(scope=None))["error"] == "invalid_scope"


async def test_a_refresh_leaves_out_unknown_scopes_and_names_one_that_was_not_granted(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid groups notes:read")
    refused = await rp.refresh(tokens["refresh_token"], scope="notes:read notes:write")
    assert error_of(refused) == (400, "invalid_scope")
    assert "notes:write" in refused.json()["error_description"]
    assert error_of(await rp.refresh(tokens["refresh_token"], scope="groups")) == (400, "invalid_scope")
    refreshed = await rp.refresh(tokens["refresh_token"], scope="openid groups notes:read")
    assert refreshed.json()["scope"] == "openid notes:read"


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("notes:read groups", "the scope 'groups' is not known here"),
        ("calendar:read", "this client may not have the scope calendar:read"),
        ("openid", "the scope openid is about a user, and no user signs in here"),
    ],
)
async def test_client_credentials_name_the_refused_scope(auth: AuthService, scope: str, text: str) -> None:
    refused = await auth.relying_party("bot").client_credentials(scope=scope)
    assert refused.json() == {"error": "invalid_scope", "error_description": text}
