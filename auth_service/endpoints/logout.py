"""/logout, the end_session_endpoint: OpenID Connect RP-Initiated Logout 1.0."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.authorize import query_of, redirect
from auth_service.endpoints.our_form import OurForm, read_our_form, signed_in_sender
from auth_service.form import Form, parse_form, read_form
from auth_service.pages import page
from auth_service.pages.refusals import MalformedRequest, UnregisteredPostLogoutRedirectURI
from auth_service.provider import Provided, Provider
from auth_service.store.clients import Client
from auth_service.store.login_sessions import LoginSession
from auth_service.tokens import id_token
from auth_service.tokens.id_token import IDTokenHint
from tallystick.errors import InvalidRequest
from tallystick.request_facts import note_client, note_refused_address

router = APIRouter(include_in_schema=False)

PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
"""Of §2; `logout_hint` and `ui_locales` are passed over."""


@dataclass(frozen=True)
class LogoutRequest:
    """RP-Initiated Logout §2. `continue_url` only when a genuine id_token_hint vouches for the client it belongs to."""

    hint: IDTokenHint | None
    client: Client | None
    continue_url: str | None


@router.get("/logout", response_class=Response)
async def logout(request: Request, provider: Provided) -> Response:
    """Sign out at once when the hint is of this very login; else ask first, or any link could sign people out (§2)."""
    return await _logout(request, query_of(request), provider)


@router.post("/logout", response_class=Response)
async def logout_by_post(request: Request, provider: Provided) -> Response:
    """A client may send its request as a form, too; a GET to ourselves then, on which the Lax cookie arrives."""
    try:
        form = await read_form(request)
    except InvalidRequest:
        raise MalformedRequest from None
    return redirect(f"/logout?{urlencode({name: form[name] for name in PARAMETERS if name in form})}")


@router.post("/logout/confirm", response_class=Response)
async def logout_confirmed(request: Request, provider: Provided) -> Response:
    form: OurForm = await read_our_form(request, provider, restart="/logout")
    asked = await _parse(form.sealed.query, provider)
    if await provider.login_sessions.current(request) is not None:
        await signed_in_sender(request, form, provider, purpose="logout", subject=form["request"])
    return await _signed_out(request, asked, provider)


async def _logout(request: Request, query: str, provider: Provider) -> Response:
    asked = await _parse(query, provider)
    login_session = await provider.login_sessions.current(request)
    if login_session is None or _is_of(asked.hint, login_session):
        return await _signed_out(request, asked, provider)
    sealed = provider.forms.seal(query, started=provider.clock())
    return page(
        "logout",
        action="/logout/confirm",
        hidden={"request": sealed, "csrf": provider.forms.csrf_token(login_session.sid, "logout", sealed)},
        client=asked.client,
        user_email=login_session.email,
    )


async def _signed_out(request: Request, asked: LogoutRequest, provider: Provider) -> Response:
    if await provider.login_sessions.end(request):
        provider.metrics.revocations.inc("logout")
    provider.logout_delivery.wake()
    if asked.continue_url is not None:
        response = redirect(asked.continue_url)
    else:
        response = page("logged_out", client_name=None, continue_url=None)
    provider.login_sessions.expire_cookie(response)
    return response


async def _parse(query: str, provider: Provider) -> LogoutRequest:
    """Raises MalformedRequest or UnregisteredPostLogoutRedirectURI, which are pages; nothing has been ended by then."""
    try:
        form = parse_form(query)
    except InvalidRequest:
        raise MalformedRequest from None
    if form.repeated:
        raise MalformedRequest
    hint = None
    if "id_token_hint" in form:
        keys = await provider.key_ring.hint_keys()
        hint = id_token.read_hint(form["id_token_hint"], issuer=provider.issuer, keys=keys)
    if hint is None:
        return LogoutRequest(None, None, None)
    if form.get("client_id", hint.aud) != hint.aud:
        raise MalformedRequest
    client = await provider.registry.client(hint.aud)
    if client is not None:
        note_client(client.client_id)
    return LogoutRequest(hint, client, _continue_url(form, client))


def _is_of(hint: IDTokenHint | None, login_session: LoginSession) -> bool:
    """Not of an earlier one by the same user: whoever holds such a hint has no say in this login."""
    return hint is not None and (hint.sub, hint.sid) == (login_session.sub, login_session.sid)


def _continue_url(form: Form, client: Client | None) -> str | None:
    uri = form.get("post_logout_redirect_uri")
    if uri is None:
        return None
    if client is None or uri not in client.post_logout_redirect_uris:
        note_refused_address(uri)
        raise UnregisteredPostLogoutRedirectURI
    state = form.get("state")
    return uri if state is None else f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"
