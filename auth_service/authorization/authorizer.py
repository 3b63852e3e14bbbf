"""The course of an authorization request, from its arrival to the response for the client."""

from dataclasses import dataclass, replace

from auth_service.authorization.client import find_client
from auth_service.authorization.interaction import Interaction, NeedsConsent, NeedsLogin, Proceed, next_interaction
from auth_service.authorization.parameters import check_parameters
from auth_service.authorization.pending import BrowserState, CheckedAuthorization, PendingAuthorization
from auth_service.authorization.redirect_trust import RedirectTrust
from auth_service.authorization.request import AuthorizationRequest
from auth_service.authorization.request_source import resolve_request
from auth_service.authorization.response import AuthorizationResponse, issue_code, with_code, with_error
from auth_service.clients.registry import ClientRegistry
from auth_service.http.signed_state import SignedState
from auth_service.keys.key_ring import KeyRing
from auth_service.store.clients.clients import Client
from auth_service.store.tokens.authorization_codes import NotIssued
from auth_service.store.users import consents
from auth_service.store.users.login_sessions import LoginSession
from auth_service.tokens import id_token
from tallystick.clock import Clock
from tallystick.errors import AccessDenied, InvalidRequest, LoginRequired, OAuthError, TemporarilyUnavailable
from tallystick_service.store import Store

_MAX_ATTEMPTS = 3
"""How often a request is decided if its client or consent changes between the decision and the storing of the code."""


@dataclass(frozen=True)
class LoginDue:
    """The browser goes to the login page."""

    pending: PendingAuthorization


@dataclass(frozen=True)
class ConsentDue:
    """The browser goes to the consent page."""

    authorization: CheckedAuthorization
    login_session: LoginSession


@dataclass(frozen=True)
class ToClient:
    """The browser goes back to the client, with a code or with `refusal`.

    `may_redirect`: whether it may go there without asking the user first.
    """

    response: AuthorizationResponse
    client: Client
    refusal: OAuthError | None = None
    may_redirect: bool = True


Outcome = LoginDue | ConsentDue | ToClient


class Authorizer:
    """Decides about authorization requests. `code_lifetime` is seconds."""

    def __init__(
        self,
        *,
        issuer: str,
        registry: ClientRegistry,
        store: Store,
        key_ring: KeyRing,
        redirect_trust: RedirectTrust,
        clock: Clock,
        code_lifetime: int,
    ) -> None:
        self._issuer = issuer
        self._registry = registry
        self._store = store
        self._key_ring = key_ring
        self._redirect_trust = redirect_trust
        self._clock = clock
        self._code_lifetime = code_lifetime

    async def begin(self, query: str) -> PendingAuthorization:
        """The request that has just arrived as `query`. Raises InvalidRequest."""
        return PendingAuthorization(await resolve_request(query), started=self._clock())

    async def resume(self, state: SignedState) -> PendingAuthorization:
        """The request that a page carried. The signature of `state` has been verified. Raises InvalidRequest."""
        request = await resolve_request(state.query)
        return PendingAuthorization(request, state.started, state.session_fingerprint)

    async def continue_authorization(
        self, pending: PendingAuthorization, browser: BrowserState, *, attempts: int = _MAX_ATTEMPTS
    ) -> Outcome:
        """The next step of a request, on its arrival and after each page.

        Raises an OAuthError only while the client and its redirect_uri are not known, and TemporarilyUnavailable, so
        that the user gets a page and can try again. Every other error goes to the client (RFC 6749 §4.1.2.1).
        """
        client = await find_client(pending.request, self._registry)
        try:
            authorization = await self._check_parameters(pending, client)
        except TemporarilyUnavailable:
            raise
        except OAuthError as refusal:
            return await self._refuse(pending.request, client, refusal, browser)
        return await self.continue_checked(authorization, browser, attempts=attempts)

    async def check(self, pending: PendingAuthorization) -> CheckedAuthorization:
        """Check the client and the parameters again: both may have changed since a page was shown.

        Raises every OAuthError, for a page.
        """
        return await self._check_parameters(pending, await find_client(pending.request, self._registry))

    async def continue_checked(
        self, authorization: CheckedAuthorization, browser: BrowserState, *, attempts: int = _MAX_ATTEMPTS
    ) -> Outcome:
        """The same as `continue_authorization`, for a request that has just been checked."""
        request, client = authorization.request, authorization.client
        try:
            interaction = await self._next_interaction(authorization, browser)
            match interaction:
                case NeedsLogin():
                    return LoginDue(replace(authorization.pending, session_fingerprint=""))
                case NeedsConsent(login_session=login_session):
                    return ConsentDue(authorization, login_session)
                case Proceed(login_session=login_session):
                    code = await issue_code(
                        authorization, login_session, self._store, now=self._clock(), lifetime=self._code_lifetime
                    )
            if code is NotIssued.LOGIN_ENDED:
                raise LoginRequired("the login session has ended", reason="login_session_ended")
        except TemporarilyUnavailable:
            raise
        except OAuthError as refusal:
            return await self._refuse(request, client, refusal, browser)
        if isinstance(code, str):
            return ToClient(with_code(request, code, issuer=self._issuer), client)
        self._registry.forget(client.client_id)
        if attempts == 1:
            raise TemporarilyUnavailable("the client or the consent changed again and again", reason="conflict")
        if browser.completed_page == "consent":
            browser = replace(browser, completed_page=None)
        return await self.continue_authorization(authorization.pending, browser, attempts=attempts - 1)

    def deny(self, authorization: CheckedAuthorization) -> ToClient:
        """The user has denied the request. The page named the target next to the button."""
        refusal = AccessDenied("the user denied the request")
        return ToClient(with_error(authorization.request, refusal, issuer=self._issuer), authorization.client, refusal)

    async def _check_parameters(self, pending: PendingAuthorization, client: Client) -> CheckedAuthorization:
        request = check_parameters(pending.request, client, await self._registry.apis(), issuer=self._issuer)
        return CheckedAuthorization(pending, client, request)

    async def _next_interaction(self, authorization: CheckedAuthorization, browser: BrowserState) -> Interaction:
        consented: frozenset[str] = frozenset()
        if browser.login_session is not None and not authorization.client.first_party:
            sub, client_id = browser.login_session.sub, authorization.client.client_id
            consented = await self._store.read(consents.find_consented_scopes, sub, client_id)
        return next_interaction(
            authorization,
            browser,
            consented=consented,
            expected_subs=await self._expected_subs(authorization.request),
            now=self._clock(),
        )

    async def _expected_subs(self, request: AuthorizationRequest) -> frozenset[str] | None:
        """The users that the client expects, by the id_token_hint or the claims parameter (OIDC Core §5.5.1)."""
        expected = request.claims.subs
        id_token_hint = request.form.get("id_token_hint")
        if id_token_hint is None:
            return expected
        hint = id_token.read_id_token_hint(id_token_hint, issuer=self._issuer, keys=await self._key_ring.hint_keys())
        if hint is None or hint.aud != request.client_id:
            raise InvalidRequest(
                "the id_token_hint is not an ID Token of this issuer for this client", reason="id_token_hint_invalid"
            )
        return frozenset({hint.sub}) if expected is None else expected & {hint.sub}

    async def _refuse(
        self, request: AuthorizationRequest, client: Client, refusal: OAuthError, browser: BrowserState
    ) -> ToClient:
        response = with_error(request, refusal, issuer=self._issuer)
        may_redirect = await self._redirect_trust.is_trusted(client, response.redirect_uri, browser.login_session)
        return ToClient(response, client, refusal, may_redirect)
