"""/authorize: the user, the client and we agree on a code (RFC 6749 §3.1, OIDC Core §3.1.2)."""

from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from auth_service.authorization.client import trusted_client
from auth_service.authorization.interaction import (
    Interaction,
    NeedsConsent,
    NeedsLogin,
    PendingAuthorization,
    Proceed,
    next_interaction,
)
from auth_service.authorization.parameters import check_parameters
from auth_service.authorization.request import AuthorizationRequest
from auth_service.authorization.response import issue_code, with_code
from auth_service.composition import Provided, Provider
from auth_service.endpoints.pages.client_redirects import back_to_client, redirect, refusal_to_client
from auth_service.http.form import RepeatedParameter, read_form
from auth_service.http.openapi import page_responses, query_parameters
from auth_service.http.signed_state import SignedState
from auth_service.pages.errors import MalformedRequest, ParameterRepeated
from auth_service.store.clients.clients import Client
from auth_service.store.tokens.authorization_codes import NotIssued
from auth_service.store.users import consents
from auth_service.store.users.login_sessions import LoginSession
from auth_service.tokens import id_token
from tallystick.errors import InvalidRequest, LoginRequired, OAuthError, TemporarilyUnavailable

router = APIRouter(tags=["OAuth 2.1"])

_MAX_DECISIONS = 3
"""Times that an answer is decided because what it rested on has changed before the code was stored."""


@router.get(
    "/authorize",
    response_class=Response,
    responses=page_responses(
        {
            200: "A form that posts the response to the client (response_mode=form_post).",
            400: "The client or its redirect_uri is unknown, or the request is malformed.",
            503: "The database does not answer; Retry-After gives the seconds to wait.",
        },
        redirect="To the login page, the consent page, or the client's redirect_uri with a code or an error.",
    ),
    openapi_extra=query_parameters(
        {
            "response_type": "`code`",
            "client_id": "The client that sends the request.",
            "redirect_uri": "Where the response goes: one of the client's registered redirect_uris.",
            "scope": "Scopes with a space between them; `openid` for an ID Token.",
            "state": "Returned to the client unchanged.",
            "nonce": "Returned in the ID Token.",
            "code_challenge": "PKCE: base64url of the SHA-256 of the code_verifier (RFC 7636).",
            "code_challenge_method": "`S256`",
            "resource": "The API that the access token is for (RFC 8707). May be repeated.",
            "response_mode": "`query` or `form_post`",
            "prompt": "`none`, `login` or `consent`",
            "max_age": "The greatest allowed age of the login, in seconds.",
            "login_hint": "The email that the login page fills in.",
            "id_token_hint": "An earlier ID Token of the expected user.",
            "claims": "Single claims that the client requests (OIDC Core §5.5), as JSON.",
        },
        required=("response_type", "client_id", "redirect_uri"),
    ),
)
async def authorize(request: Request, provider: Provided) -> Response:
    """Redirect the browser to the login page, to the consent page, or to the client with a code or an error."""
    begun = PendingAuthorization(parse_request(query_of(request)), started=provider.clock())
    login_session = await provider.login_sessions.current(request)
    session_fingerprint = provider.login_sessions.fingerprint(request)
    return await answer(begun, login_session, provider, session_fingerprint=session_fingerprint)


@router.post("/authorize", response_class=Response, include_in_schema=False)
async def authorize_by_post(request: Request) -> Response:
    """The same by a form (OIDC Core §3.1.2.1). Answered by a GET to ourselves, on which the Lax cookie arrives."""
    try:
        form = await read_form(request)
    except RepeatedParameter as refusal:
        raise ParameterRepeated(refusal.description) from None
    except InvalidRequest as refusal:
        raise MalformedRequest(reason=refusal.reason) from None
    pairs = [*form.items(), *(("resource", resource) for resource in form.resources)]
    return redirect(f"/authorize?{parse_request(urlencode(pairs)).query}")


def query_of(request: Request) -> str:
    """The query as it was sent. Raises MalformedRequest for bytes that no URL holds (RFC 3986 §2)."""
    query: bytes = request.scope["query_string"]
    try:
        return query.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedRequest from None


def parse_request(query: str) -> AuthorizationRequest:
    """Raises MalformedRequest, a page: who could be told otherwise is not known yet."""
    try:
        return AuthorizationRequest.parse(query)
    except InvalidRequest as refusal:
        raise MalformedRequest(reason=refusal.reason) from None


def begun_from(sealed: SignedState) -> PendingAuthorization:
    """The authorization request that one of our own forms carried; it is judged anew."""
    request = parse_request(sealed.query)
    return PendingAuthorization(request, started=sealed.started, session_fingerprint=sealed.session_fingerprint)


async def answer(
    begun: PendingAuthorization,
    login_session: LoginSession | None,
    provider: Provider,
    *,
    session_fingerprint: str,
    just_signed_in: bool = False,
    just_allowed: bool = False,
) -> Response:
    """The next step of an authorization request, from its first arrival and again after each page.

    `login`, `just_signed_in` and `just_allowed` are those of `next_interaction`.
    """
    match await next_step(
        begun,
        login_session,
        provider,
        session_fingerprint=session_fingerprint,
        just_signed_in=just_signed_in,
        just_allowed=just_allowed,
    ):
        case NeedsLogin():
            return to_page("/login", replace(begun, session_fingerprint=""), provider)
        case NeedsConsent():
            return to_page("/consent", begun, provider)
        case response:
            return response


async def next_step(
    begun: PendingAuthorization,
    login_session: LoginSession | None,
    provider: Provider,
    *,
    session_fingerprint: str,
    just_signed_in: bool = False,
    just_allowed: bool = False,
) -> Response | NeedsLogin | NeedsConsent:
    """As `answer`, but for the page that is due, which the caller shows or sends the browser to.

    A code is issued only if all that was decided here still holds then. If not, the decision is made again.
    """
    for _ in range(_MAX_DECISIONS):
        client = await trusted_client(begun.request, provider.registry)  # until here a refusal is a page
        request = begun.request
        try:
            request = check_parameters(request, client, await provider.registry.apis(), issuer=provider.issuer)
            interaction = await _decide(
                replace(begun, request=request),
                client,
                login_session,
                provider,
                session_fingerprint=session_fingerprint,
                just_signed_in=just_signed_in,
                just_allowed=just_allowed,
            )
            if not isinstance(interaction, Proceed):
                return interaction
            outcome = await issue_code(
                request,
                client,
                interaction.login_session,
                provider.store,
                now=provider.clock(),
                lifetime=provider.settings.lifetimes.code,
            )
            if outcome is NotIssued.LOGIN_ENDED:
                raise LoginRequired("the login session has ended", reason="login_session_ended")
        except TemporarilyUnavailable:
            raise  # a page, from which the person can try again
        except OAuthError as refusal:
            return await refusal_to_client(request, refusal, client, login_session, provider)
        if isinstance(outcome, str):
            return back_to_client(with_code(request, outcome, issuer=provider.issuer), client)
        provider.registry.forget(client.client_id)
        just_allowed = False
    raise TemporarilyUnavailable("the client or the consent changes all the time", reason="conflict")


async def _decide(
    begun: PendingAuthorization,
    client: Client,
    login_session: LoginSession | None,
    provider: Provider,
    *,
    session_fingerprint: str,
    just_signed_in: bool,
    just_allowed: bool,
) -> Interaction:
    allowed: frozenset[str] = frozenset()
    if login_session is not None and not client.first_party:
        allowed = await provider.store.read(consents.find_consented_scopes, login_session.sub, client.client_id)
    return next_interaction(
        begun,
        client,
        login_session,
        session_fingerprint=session_fingerprint,
        allowed=allowed,
        just_signed_in=just_signed_in,
        just_allowed=just_allowed,
        expected_subs=await _expected_subs(begun.request, provider),
        now=provider.clock(),
    )


def to_page(path: str, begun: PendingAuthorization, provider: Provider) -> Response:
    sealed = provider.state_signer.sign(
        begun.request.query, started=begun.started, session_fingerprint=begun.session_fingerprint
    )
    return redirect(f"{path}?{urlencode({'request': sealed})}")


async def _expected_subs(request: AuthorizationRequest, provider: Provider) -> frozenset[str] | None:
    """The users of whom one has to be signed in: by the id_token_hint, or by the claims parameter (§5.5.1)."""
    expected = request.claims.subs
    id_token_hint = request.form.get("id_token_hint")
    if id_token_hint is None:
        return expected
    keys = await provider.key_ring.hint_keys()
    hint = id_token.read_id_token_hint(id_token_hint, issuer=provider.issuer, keys=keys)
    if hint is None or hint.aud != request.client_id:
        raise InvalidRequest(
            "the id_token_hint is not an ID Token of this client's from here", reason="id_token_hint_invalid"
        )
    return frozenset({hint.sub}) if expected is None else expected & {hint.sub}
