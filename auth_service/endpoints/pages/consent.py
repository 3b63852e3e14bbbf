"""/consent: the user decides what a client may do (RFC 6749 §4.1, OIDC Core §3.1.2.4)."""

import hashlib
import json

from fastapi import APIRouter, Request, Response

from auth_service.authentication.login_sessions import fingerprint
from auth_service.authorization.authorizer import ConsentDue
from auth_service.authorization.consent_rules import is_local_program, scopes_to_consent
from auth_service.authorization.pending import BrowserState, CheckedAuthorization
from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.clients.registry import ClientRegistry
from auth_service.endpoints.dependencies import (
    AuthorizerDep,
    ClockDep,
    LoginSessionsDep,
    RegistryDep,
    StateSignerDep,
    StoreDep,
)
from auth_service.endpoints.pages.interaction_form import InteractionFormsDep
from auth_service.endpoints.pages.outcome_response import browser_state, respond, respond_to_client
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import PAGE, POPUP
from auth_service.http.signed_state import StateSigner
from auth_service.pages import page
from auth_service.pages.errors import ClientChanged, LoginEnded
from auth_service.store.users import consents
from auth_service.store.users.consents import ConsentFailure
from auth_service.vocabulary.scopes import OIDC_SCOPE_DESCRIPTIONS

router = APIRouter(include_in_schema=False, route_class=RawRoute)

ScopeDescriptions = list[tuple[str, str]]
"""Scopes, each with its description for people."""


@router.get("/consent", response_class=Response)
@PAGE
@POPUP
async def consent_page(
    request: Request,
    authorizer: AuthorizerDep,
    forms: InteractionFormsDep,
    login_sessions: LoginSessionsDep,
    registry: RegistryDep,
    state_signer: StateSignerDep,
) -> Response:
    """Show what the client asks for; or go on, if consent is no longer what the request needs."""
    signed_state = request.query_params.get("request", "")
    authorization = await authorizer.check(await authorizer.resume(await forms.verify_state(signed_state)))
    outcome = await authorizer.continue_checked(authorization, await browser_state(request, login_sessions))
    if not isinstance(outcome, ConsentDue):
        return respond(outcome, state_signer)
    return await _page(outcome, signed_state, registry, state_signer)


@router.post("/consent", response_class=Response)
@PAGE
@POPUP
async def consent(
    request: Request,
    authorizer: AuthorizerDep,
    forms: InteractionFormsDep,
    login_sessions: LoginSessionsDep,
    registry: RegistryDep,
    state_signer: StateSignerDep,
    store: StoreDep,
    clock: ClockDep,
) -> Response:
    """Store the consent and go on, or go back to the client with access_denied.

    Nothing is allowed if the client has changed since the page was made, in anything that the page showed or that
    decides about the response.
    """
    form = await forms.read(request)
    authorization = await authorizer.check(await authorizer.resume(form.state))
    shown = form.get("shown", "")
    subject = _csrf_subject(form["request"], shown)
    login_session = await forms.require_session(request, form, purpose="consent", subject=subject)
    if form.get("decision") != "allow":
        return respond_to_client(authorizer.deny(authorization))
    restart_url = f"/authorize?{authorization.request.query}"
    if shown != _fingerprint(authorization, await _scope_descriptions(authorization, registry)):
        raise ClientChanged(restart_url=restart_url)
    client = authorization.client
    if not is_local_program(authorization):  # for such a program no consent is stored
        scopes = frozenset(scopes_to_consent(authorization))
        failure = await store.write(consents.give_consent, login_session.sub, client, scopes, now=clock())
        match failure:
            case ConsentFailure.USER_DISABLED:
                raise LoginEnded
            case ConsentFailure.CLIENT_CHANGED:
                registry.forget(client.client_id)
                raise ClientChanged(restart_url=restart_url)
    session_fingerprint = fingerprint(login_sessions.cookie.read(request))
    browser = BrowserState(login_session, session_fingerprint, completed_page="consent")
    return respond(await authorizer.continue_checked(authorization, browser), state_signer)


async def _page(due: ConsentDue, signed_state: str, registry: ClientRegistry, state_signer: StateSigner) -> Response:
    authorization, client = due.authorization, due.authorization.client
    scopes = await _scope_descriptions(authorization, registry)
    shown = _fingerprint(authorization, scopes)
    subject = _csrf_subject(signed_state, shown)
    return page(
        "consent",
        action="/consent",
        hidden={
            "request": signed_state,
            "shown": shown,
            "csrf": state_signer.csrf_token(due.login_session.sid, "consent", subject),
        },
        client=client,
        user_email=due.login_session.email,
        scopes=scopes,
        redirect_host=shown_target(authorization.request.redirect_uri or ""),
        is_native=is_local_program(authorization),
        # "web" is the default of application_type, and programs that register themselves often leave it out.
        is_web=client.is_declared and client.application_type == "web",
    )


async def _scope_descriptions(authorization: CheckedAuthorization, registry: ClientRegistry) -> ScopeDescriptions:
    owner = (await registry.apis()).owner
    return [
        (scope, owner[scope].scopes[scope] if scope in owner else OIDC_SCOPE_DESCRIPTIONS.get(scope, scope))
        for scope in scopes_to_consent(authorization)
    ]


def _fingerprint(authorization: CheckedAuthorization, scopes: ScopeDescriptions) -> str:
    """SHA-256 over what the page shows, and over what else decides about the response."""
    content = json.dumps([authorization.client.basis, scopes], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _csrf_subject(signed_state: str, shown: str) -> str:
    return f"{signed_state} {shown}"
