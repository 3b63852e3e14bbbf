"""The decision table of `next_interaction`: which page an authorization request needs next."""

from typing import Any, Literal
from urllib.parse import urlencode

import pytest

from auth_service.authorization.interaction import Interaction, NeedsConsent, NeedsLogin, Proceed, next_interaction
from auth_service.authorization.pending import BrowserState, CheckedAuthorization, PendingAuthorization
from auth_service.authorization.request import AuthorizationRequest
from auth_service.store.clients.clients import Client
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import ConsentRequired, LoginRequired

NOW = 1_000_000
WEB, LOOPBACK = "https://app.example/callback", "http://127.0.0.1/callback"


def client(**metadata: Any) -> Client:
    return Client.model_construct(client_id="app", scope="openid email", **metadata)


def decide(
    *,
    signed_in: bool = True,
    login_age: int = 0,
    signed_in_for_this: bool = False,
    completed_page: Literal["login", "consent"] | None = None,
    consented: str = "openid",
    expected_subs: frozenset[str] | None = None,
    first_party: bool = False,
    default_max_age: int | None = None,
    redirect_uri: str = WEB,
    token_endpoint_auth_method: str = "client_secret_basic",
    **parameters: str,
) -> Interaction:
    query = urlencode({"client_id": "app", "redirect_uri": redirect_uri, "scope": "openid"} | parameters)
    request = AuthorizationRequest.parse(query)
    checked = AuthorizationRequest(
        query, request.client_id, request.redirect_uri, request.state, request.form, scopes=("openid",)
    )
    pending = PendingAuthorization(request, NOW - 60, "fingerprint" if signed_in_for_this else "")
    login_session = LoginSession("sid", "ada", "ada@example.com", NOW - login_age, "acr", {}) if signed_in else None
    authorization = CheckedAuthorization(
        pending,
        client(
            first_party=first_party,
            default_max_age=default_max_age,
            token_endpoint_auth_method=token_endpoint_auth_method,
        ),
        checked,
    )
    return next_interaction(
        authorization,
        BrowserState(login_session, "fingerprint" if signed_in else "", completed_page),
        consented=frozenset(consented.split()),
        expected_subs=expected_subs,
        now=NOW,
    )


@pytest.mark.parametrize(
    "case",
    [
        {"signed_in": False},
        {"expected_subs": frozenset({"grace"})},
        {"max_age": "60", "login_age": 61},
        {"default_max_age": 60, "login_age": 61},
        {"max_age": "0"},
        {"prompt": "login"},
        {"prompt": "select_account"},
        {"max_age": "60", "login_age": 61, "signed_in_for_this": True, "completed_page": "consent"},
    ],
    ids=str,
)
def test_a_missing_wrong_or_old_login_needs_the_login_page(case: dict[str, Any]) -> None:
    assert decide(**case) == NeedsLogin()
    if "prompt" not in case:
        with pytest.raises(LoginRequired):
            decide(**case | {"prompt": "none"})


@pytest.mark.parametrize(
    "case",
    [
        {"expected_subs": frozenset()},
        {"expected_subs": frozenset(), "signed_in": False},
        {"expected_subs": frozenset({"grace"}), "signed_in_for_this": True, "completed_page": "login"},
    ],
    ids=str,
)
def test_if_another_login_cannot_help_the_request_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(LoginRequired) as refused:
        decide(**case)
    assert refused.value.reason == "user_mismatch"


@pytest.mark.parametrize(
    "case",
    [
        {"consented": ""},
        {"consented": "openid", "prompt": "consent"},
        {"first_party": True, "prompt": "consent"},
        {"first_party": True, "redirect_uri": "app.photos:///callback"},
        {"first_party": True, "redirect_uri": LOOPBACK, "token_endpoint_auth_method": "none"},
        {"consented": "openid", "claims": '{"userinfo": {"email": null}}'},
        {"consented": "", "signed_in_for_this": True, "completed_page": "login"},
    ],
    ids=str,
)
def test_missing_consent_needs_the_consent_page(case: dict[str, Any]) -> None:
    interaction = decide(**case)
    assert isinstance(interaction, NeedsConsent)
    assert interaction.login_session.sub == "ada"
    if "prompt" not in case:
        with pytest.raises(ConsentRequired):
            decide(**case | {"prompt": "none"})
    assert isinstance(decide(**case | {"completed_page": "consent"}), Proceed)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"prompt": "none"},
        {"first_party": True, "consented": ""},
        {"first_party": True, "consented": "", "redirect_uri": LOOPBACK},
        pytest.param({"expected_subs": frozenset({"ada", "grace"})}, id="expected_subs: ada or grace"),
        {"max_age": "60", "login_age": 60},
        {"max_age": "60", "default_max_age": 1, "login_age": 60},
        {"prompt": "login", "signed_in_for_this": True, "login_age": 600},
        {"max_age": "0", "signed_in_for_this": True, "login_age": 600},
        {"max_age": "60", "signed_in_for_this": True, "completed_page": "login", "login_age": 61},
    ],
    ids=str,
)
def test_a_request_that_needs_no_page_proceeds(case: dict[str, Any]) -> None:
    assert isinstance(decide(**case), Proceed)


def test_login_and_consent_page_do_not_alternate_if_consent_is_asked_each_time() -> None:
    case: dict[str, Any] = {"max_age": "60", "login_age": 61, "signed_in_for_this": True, "completed_page": "consent"}
    assert decide(**case) == NeedsLogin()
    assert isinstance(decide(**case, prompt="consent"), Proceed)
