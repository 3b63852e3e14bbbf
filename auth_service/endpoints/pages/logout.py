"""/logout, the end_session_endpoint: OpenID Connect RP-Initiated Logout 1.0."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.composition import Provided, Provider
from auth_service.endpoints.oauth.authorize import query_of
from auth_service.endpoints.pages.client_redirects import is_vouched_for, redirect, signed_out_page
from auth_service.endpoints.pages.interaction_form import InteractionForm, read_interaction_form, require_form_session
from auth_service.http.form import RepeatedParameter, parse_form, read_form, which_is_repeated
from auth_service.http.openapi import page_responses, query_parameters
from auth_service.pages import page
from auth_service.pages.errors import DifferentClients, MalformedRequest, ParameterRepeated
from auth_service.store.clients.clients import Client
from auth_service.store.users.login_sessions import LoginSession
from auth_service.telemetry.refusal_log import log_refusal
from auth_service.tokens import id_token
from auth_service.tokens.id_token import IDTokenHint
from tallystick.errors import InvalidRequest
from tallystick_service.asgi.request_facts import note_client, note_refused_address

router = APIRouter(tags=["OpenID Connect"])

PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
"""Of §2; `logout_hint` and `ui_locales` are passed over."""


@dataclass(frozen=True)
class LogoutRequest:
    """RP-Initiated Logout §2.

    `client` is the one that a genuine `hint` was issued to; without a hint, the one that `client_id` names. `address`
    is the post_logout_redirect_uri as it was sent, `continue_url` the same with `state` where it is registered for
    `client`.
    """

    hint: IDTokenHint | None
    client: Client | None
    address: str | None
    continue_url: str | None

    @property
    def is_address_refused(self) -> bool:
        return self.address is not None and self.continue_url is None


@router.get(
    "/logout",
    response_class=Response,
    responses=page_responses(
        {
            200: "The question whether to sign out, or the page that says that the user is signed out.",
            400: "The request is malformed, or its post_logout_redirect_uri is not registered for the client.",
            503: "The database does not answer; Retry-After gives the seconds to wait.",
        },
        redirect="To the post_logout_redirect_uri.",
    ),
    openapi_extra=query_parameters(
        {
            "id_token_hint": "An ID Token of the login that ends.",
            "client_id": "The client that sends the request.",
            "post_logout_redirect_uri": "Where the browser goes afterwards: one of the client's registered ones.",
            "state": "Added to the post_logout_redirect_uri.",
        }
    ),
)
async def logout(request: Request, provider: Provided) -> Response:
    """Sign the user out at once if the hint belongs to this login; otherwise ask first (RP-Initiated Logout §2)."""
    return await _logout(request, query_of(request), provider)


@router.post("/logout", response_class=Response, include_in_schema=False)
async def logout_by_post(request: Request, provider: Provided) -> Response:
    """A client may send its request as a form, too; a GET to ourselves then, on which the Lax cookie arrives."""
    try:
        form = await read_form(request)
    except RepeatedParameter as refusal:
        raise ParameterRepeated(refusal.description) from None
    except InvalidRequest as refusal:
        raise MalformedRequest(reason=refusal.reason) from None
    return redirect(f"/logout?{urlencode({name: form[name] for name in PARAMETERS if name in form})}")


@router.post("/logout/confirm", response_class=Response, include_in_schema=False)
async def logout_confirmed(request: Request, provider: Provided) -> Response:
    form: InteractionForm = await read_interaction_form(request, provider, restart="/logout")
    asked = await _parse(form.sealed.query, provider)
    if await provider.login_sessions.current(request) is not None:
        await require_form_session(request, form, provider, purpose="logout", subject=form["request"])
    return await _signed_out(request, asked, provider, may_redirect=True)  # the page has named the target


async def _logout(request: Request, query: str, provider: Provider) -> Response:
    asked = await _parse(query, provider)
    login_session = await provider.login_sessions.current(request)
    if login_session is None or _is_of(asked.hint, login_session):
        # With the hint of another login, or none, an attacker may have written the link.
        client, url = asked.client, asked.continue_url or ""
        is_trusted = asked.hint is not None and client is not None and is_vouched_for(client, url, provider)
        return await _signed_out(request, asked, provider, may_redirect=login_session is not None or is_trusted)
    sealed = provider.state_signer.sign(query, started=provider.clock())
    return page(
        "logout",
        action="/logout/confirm",
        hidden={"request": sealed, "csrf": provider.state_signer.csrf_token(login_session.sid, "logout", sealed)},
        client=asked.client,
        user_email=login_session.email,
        continue_host=asked.continue_url and shown_target(asked.continue_url),
    )


async def _signed_out(request: Request, asked: LogoutRequest, provider: Provider, *, may_redirect: bool) -> Response:
    """End the login, and go back to the client where its address is registered (§3); else by a link on our page."""
    if await provider.login_sessions.end(provider.login_sessions.cookie.read(request)):
        provider.metrics.revocations.inc("logout")
    provider.logout_delivery.wake()
    url, client = asked.continue_url, asked.client
    if url is not None and may_redirect:
        response = redirect(url)
    elif url is not None and client is not None and not is_vouched_for(client, url, provider):
        response = signed_out_page(client, url)
    else:
        if asked.is_address_refused:
            note_refused_address(asked.address or "")
            log_refusal(InvalidRequest(reason="post_logout_redirect_uri_unregistered"), status=200)
        response = page(
            "logged_out",
            client_name=asked.client.client_name if asked.client else None,
            continue_url=asked.continue_url,
            is_address_refused=asked.is_address_refused,
        )
    provider.login_sessions.expire_cookie(response)
    return response


async def _parse(query: str, provider: Provider) -> LogoutRequest:
    """Raises a PageRefusal for a request that cannot be understood; nothing has been ended by then."""
    try:
        form = parse_form(query)
    except InvalidRequest as refusal:
        raise MalformedRequest(reason=refusal.reason) from None
    if form.repeated:
        raise ParameterRepeated(which_is_repeated(form))
    hint, client_id = None, form.get("client_id")
    if "id_token_hint" in form:
        keys = await provider.key_ring.hint_keys()
        hint = id_token.read_id_token_hint(form["id_token_hint"], issuer=provider.issuer, keys=keys)
        if hint is not None and client_id not in (None, hint.aud):
            raise DifferentClients("client_id is not the client that the id_token_hint was issued to")
        client_id = hint.aud if hint else None  # a hint that is not genuine makes the whole request doubtful
    client = None if client_id is None else await provider.registry.client(client_id)
    if client is not None:
        note_client(client.client_id)
    address = form.get("post_logout_redirect_uri")
    return LogoutRequest(hint, client, address, _continue_url(address, form.get("state"), client))


def _is_of(hint: IDTokenHint | None, login_session: LoginSession) -> bool:
    """Not of an earlier one by the same user: whoever holds such a hint has no say in this login."""
    return hint is not None and (hint.sub, hint.sid) == (login_session.sub, login_session.sid)


def _continue_url(address: str | None, state: str | None, client: Client | None) -> str | None:
    if address is None or client is None or address not in client.post_logout_redirect_uris:
        return None
    return address if state is None else f"{address}{'&' if '?' in address else '?'}{urlencode({'state': state})}"
