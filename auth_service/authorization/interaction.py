"""What still has to happen between the user and us before the client may have its code."""

from dataclasses import dataclass

from auth_service.authorization.request import AuthorizationRequest
from auth_service.store.clients import Client
from auth_service.store.login_sessions import LoginSession
from auth_service.uris import has_private_use_scheme, runs_on_the_device
from tallystick.errors import ConsentRequired, LoginRequired


@dataclass(frozen=True)
class Begun:
    """An authorization request at the moment it came: `started` in Unix seconds, `browser` the fingerprint of the login
    session's cookie then. The cookie changes at each login, so another fingerprint now means a login since."""

    request: AuthorizationRequest
    started: int
    browser: str


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
    begun: Begun,
    client: Client,
    login_session: LoginSession | None,
    *,
    browser: str,
    allowed: frozenset[str],
    just_allowed: bool,
    expected_subs: frozenset[str] | None,
) -> Interaction:
    """The next step of a request.

    `browser` is the cookie's fingerprint now; `allowed` what the user allowed this client before, `just_allowed` that
    it was on the page to which this very request led; `expected_subs` the users whom the client expects, if it says.

    Raises LoginRequired or ConsentRequired when a page is needed and prompt=none forbids one (OIDC Core §3.1.2.6).
    """
    request = begun.request
    may_ask = "none" not in request.prompts
    is_another = login_session is not None and expected_subs is not None and login_session.sub not in expected_subs
    if expected_subs == frozenset() or (is_another and _has_just_signed_in(begun, login_session, browser=browser)):
        raise LoginRequired("somebody else is asked for than who signs in")  # once more would be as vain
    if login_session is None or is_another or not _login_is_fresh(begun, client, login_session, browser=browser):
        if may_ask:
            return NeedsLogin()
        raise LoginRequired("nobody is signed in, or not the user asked for, or too long ago")
    if not just_allowed and _consent_is_due(request, client, allowed):
        if may_ask:
            return NeedsConsent(login_session)
        raise ConsentRequired("the user has not allowed this")
    return Proceed(login_session)


def _login_is_fresh(begun: Begun, client: Client, login_session: LoginSession, *, browser: str) -> bool:
    if _has_just_signed_in(begun, login_session, browser=browser):
        return True
    asked = begun.request.max_age
    max_age = client.default_max_age if asked is None else asked  # OIDC Registration §2
    if begun.request.prompts & {"login", "select_account"} or max_age == 0:
        return False
    return max_age is None or begun.started - login_session.auth_time <= max_age


def _has_just_signed_in(begun: Begun, login_session: LoginSession | None, *, browser: str) -> bool:
    """This very request brought the user to the login page, or another did since."""
    return login_session is not None and login_session.auth_time >= begun.started and browser != begun.browser


def _consent_is_due(request: AuthorizationRequest, client: Client, allowed: frozenset[str]) -> bool:
    if is_program_on_the_device(request, client):
        return True
    if "consent" in request.prompts:
        return True
    return not client.first_party and not allowed.issuperset(scopes_to_allow(request, client))


def is_program_on_the_device(request: AuthorizationRequest, client: Client) -> bool:
    """Whether any local program could impersonate this client (RFC 8252 §8.6): then always ask, first-party or not.

    With a secret, a program on a loopback port cannot redeem the code. A private-use scheme always asks: the app that
    receives the code passes it on to the server that has the secret, and a program in its place could do the same.
    """
    uri = request.redirect_uri or ""
    return has_private_use_scheme(uri) or (client.is_public and runs_on_the_device(uri))


def scopes_to_allow(request: AuthorizationRequest, client: Client) -> tuple[str, ...]:
    """What the user is asked about: the scopes, and those whose claims are asked for one by one."""
    beside = request.claims.within(client.scopes).scopes
    return tuple(dict.fromkeys([*request.scopes, *sorted(beside)]))
