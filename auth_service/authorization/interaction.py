"""The decision which page the user must complete before the client may get a code."""

from dataclasses import dataclass

from auth_service.authorization.consent_rules import is_asked_each_time, is_consent_due
from auth_service.authorization.pending import BrowserState, CheckedAuthorization
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import ConsentRequired, LoginRequired


@dataclass(frozen=True)
class NeedsLogin:
    pass


@dataclass(frozen=True)
class NeedsConsent:
    login_session: LoginSession


@dataclass(frozen=True)
class Proceed:
    login_session: LoginSession


Interaction = NeedsLogin | NeedsConsent | Proceed


def next_interaction(
    authorization: CheckedAuthorization,
    browser: BrowserState,
    *,
    consented: frozenset[str],
    expected_subs: frozenset[str] | None,
    now: int,
) -> Interaction:
    """The next step of a request. The first row that applies decides:

    | the user                                                  | prompt=none      | otherwise       |
    |-----------------------------------------------------------|------------------|-----------------|
    | can be none of those that the client expects              | LoginRequired    | LoginRequired   |
    | is an unexpected one, and has signed in for this request  | LoginRequired    | LoginRequired   |
    | is not signed in                                          | LoginRequired    | NeedsLogin      |
    | is an unexpected one                                      | LoginRequired    | NeedsLogin      |
    | signed in too long ago, or not for this request           | LoginRequired    | NeedsLogin      |
    | has not allowed all that is asked                         | ConsentRequired  | NeedsConsent    |
    | has signed in and allowed everything                      | Proceed          | Proceed         |

    `consented` are the scopes that the user allowed this client earlier. `expected_subs` are the users that the client
    expects; None if it expects any. `now` is Unix seconds. Raises LoginRequired and ConsentRequired (OIDC Core
    §3.1.2.6).
    """
    login_session = browser.login_session
    may_show_page = "none" not in authorization.request.prompts
    is_unexpected_user = (
        login_session is not None and expected_subs is not None and login_session.sub not in expected_subs
    )
    no_user_can_match = expected_subs is not None and not expected_subs
    if no_user_can_match or (is_unexpected_user and _signed_in_for_this_request(authorization, browser)):
        # Another login would not help.
        raise LoginRequired("the user who signed in is not the one that the client expects", reason="user_mismatch")
    if login_session is None or is_unexpected_user or not _is_login_fresh(authorization, browser, login_session, now):
        if may_show_page:
            return NeedsLogin()
        raise LoginRequired("no login, a login of another user, or one that is too old")
    if browser.completed_page != "consent" and is_consent_due(authorization, consented):
        if may_show_page:
            return NeedsConsent(login_session)
        raise ConsentRequired("the user has not allowed this")
    return Proceed(login_session)


def _signed_in_for_this_request(authorization: CheckedAuthorization, browser: BrowserState) -> bool:
    """The cookie of the login that was made for this request is the one that the browser has now."""
    return (
        browser.login_session is not None
        and browser.session_fingerprint != ""
        and authorization.pending.session_fingerprint == browser.session_fingerprint
    )


def _is_login_fresh(
    authorization: CheckedAuthorization, browser: BrowserState, login_session: LoginSession, now: int
) -> bool:
    """Whether the login satisfies prompt and max_age (OIDC Core §3.1.2.1) at `now`."""
    request, client = authorization.request, authorization.client
    signed_in_for_this = _signed_in_for_this_request(authorization, browser)
    # Directly after a login for this request, max_age is not checked. It is checked again after the consent page, which
    # may have been open for long; but not for a client whose consent page is shown each time, because login page and
    # consent page would then alternate for ever.
    if signed_in_for_this and (browser.completed_page == "login" or is_asked_each_time(authorization)):
        return True
    max_age = client.default_max_age if request.max_age is None else request.max_age  # OIDC Registration §2
    if request.prompts & {"login", "select_account"} or max_age == 0:
        if not signed_in_for_this:
            return False
        max_age = max_age or None  # 0 demands what prompt=login demands: a login for this request
    return max_age is None or now - login_session.auth_time <= max_age
