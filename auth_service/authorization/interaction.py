"""What still has to happen between the user and us before the client may have its code."""

from dataclasses import dataclass

from auth_service.authorization.request import AuthorizationRequest
from auth_service.client_metadata.redirect_uris import has_private_use_scheme, runs_on_the_device
from auth_service.store.clients.clients import Client
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import ConsentRequired, LoginRequired


@dataclass(frozen=True)
class PendingAuthorization:
    """An authorization request that waits for the user.

    `started` is Unix seconds. `session_fingerprint` is that of the login session's cookie that was set when the user
    signed in for this request, or "". The cookie changes at each login.
    """

    request: AuthorizationRequest
    started: int
    session_fingerprint: str = ""


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
    begun: PendingAuthorization,
    client: Client,
    login_session: LoginSession | None,
    *,
    session_fingerprint: str,
    allowed: frozenset[str],
    just_signed_in: bool,
    just_allowed: bool,
    expected_subs: frozenset[str] | None,
    now: int,
) -> Interaction:
    """The next step of a request.

    `session_fingerprint` is the cookie's fingerprint now; `allowed` what the user allowed this client before;
    `expected_subs` the users whom the client expects, if it says. `just_signed_in` and `just_allowed`: the form that is
    being answered is the one to which this request led, and the user signed in by it, or allowed what the request asks.

    Raises LoginRequired or ConsentRequired when a page is needed and prompt=none forbids one (OIDC Core §3.1.2.6).
    """
    request = begun.request
    may_ask = "none" not in request.prompts
    is_same_cookie = begun.session_fingerprint == session_fingerprint != ""
    has_just_signed_in = login_session is not None and is_same_cookie
    is_another = login_session is not None and expected_subs is not None and login_session.sub not in expected_subs
    if expected_subs == frozenset() or (is_another and has_just_signed_in):
        # Another login would not help.
        raise LoginRequired("the user who signed in is not the one that the client expects", reason="user_mismatch")
    # A login for this request is enough at once. Later, max_age is judged again: the consent page may have been open
    # for long. Where that page is shown each time, login and consent would then follow each other for ever.
    is_enough = has_just_signed_in and (just_signed_in or _asks_each_time(request, client))
    is_fresh = login_session is not None and (
        is_enough or _login_is_fresh(request, client, login_session, has_just_signed_in=has_just_signed_in, now=now)
    )
    if login_session is None or is_another or not is_fresh:
        if may_ask:
            return NeedsLogin()
        raise LoginRequired("no login, a login of another user, or one that is too old")
    if not just_allowed and _consent_is_due(request, client, allowed):
        if may_ask:
            return NeedsConsent(login_session)
        raise ConsentRequired("the user has not allowed this")
    return Proceed(login_session)


def _login_is_fresh(
    request: AuthorizationRequest, client: Client, login_session: LoginSession, *, has_just_signed_in: bool, now: int
) -> bool:
    """By prompt and max_age (OIDC Core §3.1.2.1), at the moment at which the request is answered."""
    max_age = client.default_max_age if request.max_age is None else request.max_age  # OIDC Registration §2
    if request.prompts & {"login", "select_account"} or max_age == 0:
        if not has_just_signed_in:
            return False
        max_age = max_age or None  # 0 demands what prompt=login does: a login for this request
    return max_age is None or now - login_session.auth_time <= max_age


def _consent_is_due(request: AuthorizationRequest, client: Client, allowed: frozenset[str]) -> bool:
    if _asks_each_time(request, client):
        return True
    return not client.first_party and not allowed.issuperset(scopes_to_allow(request, client))


def _asks_each_time(request: AuthorizationRequest, client: Client) -> bool:
    return is_program_on_the_device(request, client) or "consent" in request.prompts


def scopes_of_stored_consent(request: AuthorizationRequest, client: Client) -> frozenset[str]:
    """What a stored consent has to cover for a code; nothing when the answer does not rest on a stored one."""
    if client.first_party or is_program_on_the_device(request, client):
        return frozenset()
    return frozenset(scopes_to_allow(request, client))


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
