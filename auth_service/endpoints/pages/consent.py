"""/consent: the user decides what a client may do (RFC 6749 §4.1, OIDC Core §3.1.2.4)."""

import hashlib
import json
from dataclasses import replace

from fastapi import APIRouter, Request, Response

from auth_service.authorization.client import trusted_client
from auth_service.authorization.interaction import (
    NeedsConsent,
    PendingAuthorization,
    is_program_on_the_device,
    scopes_to_allow,
)
from auth_service.authorization.parameters import check_parameters
from auth_service.authorization.response import with_error
from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.composition import Provided, Provider
from auth_service.endpoints.oauth.authorize import answer, begun_from, next_step, to_page
from auth_service.endpoints.pages.client_redirects import back_to_client
from auth_service.endpoints.pages.interaction_form import open_sealed, read_interaction_form, require_form_session
from auth_service.pages import page
from auth_service.pages.errors import ClientChanged, LoginEnded
from auth_service.store.clients.clients import Client
from auth_service.store.users import consents
from auth_service.store.users.consents import NotGiven
from auth_service.store.users.login_sessions import LoginSession
from auth_service.telemetry.refusal_log import log_refusal
from auth_service.vocabulary.scopes import OIDC_SCOPE_DESCRIPTIONS
from tallystick.errors import AccessDenied

router = APIRouter(include_in_schema=False)


@router.get("/consent", response_class=Response)
async def consent_page(request: Request, provider: Provided) -> Response:
    """What is asked for, in words of the API that understands each scope; or the step that is due instead."""
    sealed = request.query_params.get("request", "")
    _, begun = await _asking_client(begun_from(await open_sealed(sealed, provider)), provider)
    login_session = await provider.login_sessions.current(request)
    session_fingerprint = provider.login_sessions.fingerprint(request)
    step = await next_step(begun, login_session, provider, session_fingerprint=session_fingerprint)
    match step:
        case Response():
            return step
        case NeedsConsent(login_session=live):
            return await _page(sealed, begun, live, provider)
        case _:
            return to_page("/login", begun, provider)


@router.post("/consent", response_class=Response)
async def consent(request: Request, provider: Provided) -> Response:
    """Remember what was allowed and go on; or go back with access_denied.

    If the client has changed since the page was made, in any way that the user could see or that decides, nothing is
    allowed.
    """
    form = await read_interaction_form(request, provider)
    client, begun = await _asking_client(begun_from(form.sealed), provider)
    shown = form.get("shown", "")
    subject = _subject(form["request"], shown)
    login_session = await require_form_session(request, form, provider, purpose="consent", subject=subject)
    if form.get("decision") != "allow":
        refusal = AccessDenied("the user said no")
        response = back_to_client(with_error(begun.request, refusal, issuer=provider.issuer), client)
        log_refusal(refusal, status=response.status_code)  # at once: the page has named the target beside the button
        return response
    again = f"/authorize?{begun.request.query}"
    if shown != await _shown(begun, client, provider):
        raise ClientChanged(again=again)
    if not is_program_on_the_device(begun.request, client):  # which is asked each time, whatever it was allowed
        scopes = frozenset(scopes_to_allow(begun.request, client))
        not_given = await provider.store.write(
            consents.give_consent, login_session.sub, client, scopes, now=provider.clock()
        )
        match not_given:
            case NotGiven.USER_DISABLED:
                raise LoginEnded
            case NotGiven.CLIENT_CHANGED:
                provider.registry.forget(client.client_id)
                raise ClientChanged(again=again)
    session_fingerprint = provider.login_sessions.fingerprint(request)
    return await answer(begun, login_session, provider, session_fingerprint=session_fingerprint, just_allowed=True)


async def _page(sealed: str, begun: PendingAuthorization, login_session: LoginSession, provider: Provider) -> Response:
    client, begun = await _asking_client(begun, provider)
    shown = await _shown(begun, client, provider)
    return page(
        "consent",
        action="/consent",
        hidden={
            "request": sealed,
            "shown": shown,
            "csrf": provider.state_signer.csrf_token(login_session.sid, "consent", _subject(sealed, shown)),
        },
        client=client,
        user_email=login_session.email,
        scopes=await _scopes(begun, client, provider),
        redirect_host=shown_target(begun.request.redirect_uri or ""),
        is_native=is_program_on_the_device(begun.request, client),
        # A self-registered client is "web" also when it left application_type out, as programs do.
        is_web=client.is_declared and client.application_type == "web",
    )


async def _scopes(begun: PendingAuthorization, client: Client, provider: Provider) -> list[tuple[str, str]]:
    """What is asked for, each with its text for people."""
    owner = (await provider.registry.apis()).owner
    return [
        (scope, owner[scope].scopes[scope] if scope in owner else OIDC_SCOPE_DESCRIPTIONS.get(scope, scope))
        for scope in scopes_to_allow(begun.request, client)
    ]


async def _shown(begun: PendingAuthorization, client: Client, provider: Provider) -> str:
    """SHA-256 over what the page shows and what decides about the answer."""
    content = json.dumps([client.basis, await _scopes(begun, client, provider)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _subject(sealed: str, shown: str) -> str:
    return f"{sealed} {shown}"


async def _asking_client(begun: PendingAuthorization, provider: Provider) -> tuple[Client, PendingAuthorization]:
    """The client, and the request with the scopes that the client may have: the user is asked about no others.

    The seal only proves that the request passed through here, so its parameters are checked again. An OAuthError is
    shown as a page.
    """
    client = await trusted_client(begun.request, provider.registry)
    apis = await provider.registry.apis()
    return client, replace(begun, request=check_parameters(begun.request, client, apis, issuer=provider.issuer))
