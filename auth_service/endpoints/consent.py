"""/consent: the user decides what a client may do (RFC 6749 §4.1, OIDC Core §3.1.2.4)."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from auth_service.authorization.client import trusted_client
from auth_service.authorization.interaction import Begun, is_program_on_the_device, scopes_to_allow
from auth_service.authorization.parameters import check_parameters
from auth_service.endpoints.authorize import answer, begun_from, refusal_to_client
from auth_service.endpoints.our_form import open_sealed, read_our_form, signed_in_sender
from auth_service.oidc_scopes import OIDC_SCOPE_TEXTS
from auth_service.pages import page
from auth_service.pages.refusals import LoginEnded
from auth_service.provider import Provided, Provider
from auth_service.store import consents
from auth_service.store.clients import Client
from auth_service.uris import shown_target
from tallystick.errors import AccessDenied

router = APIRouter(include_in_schema=False)


@router.get("/consent", response_class=Response)
async def consent_page(request: Request, provider: Provided) -> Response:
    """What is asked for, in words of the API that understands each scope."""
    sealed = request.query_params.get("request", "")
    client, begun = await _asking_client(begun_from(await open_sealed(sealed, provider)), provider)
    login_session = await provider.login_sessions.current(request)
    if login_session is None:
        raise LoginEnded
    owner = (await provider.registry.now()).owner
    return page(
        "consent",
        action="/consent",
        hidden={
            "request": sealed,
            "csrf": provider.forms.csrf_token(login_session.sid, "consent", _subject(sealed, begun, client)),
        },
        client=client,
        user_email=login_session.email,
        scopes=[
            (scope, owner[scope].scopes[scope] if scope in owner else OIDC_SCOPE_TEXTS.get(scope, scope))
            for scope in scopes_to_allow(begun.request, client)
        ],
        redirect_host=shown_target(begun.request.redirect_uri or ""),
        is_native=is_program_on_the_device(begun.request, client),
        # A self-registered client is "web" also when it left application_type out, as programs do.
        is_web=client.is_declared and client.application_type == "web",
    )


@router.post("/consent", response_class=Response)
async def consent(request: Request, provider: Provided) -> Response:
    """Remember what was allowed and go on; or go back with access_denied."""
    form = await read_our_form(request, provider)
    client, begun = await _asking_client(begun_from(form.sealed), provider)
    subject = _subject(form["request"], begun, client)
    login_session = await signed_in_sender(request, form, provider, purpose="consent", subject=subject)
    if form.get("decision") != "allow":
        refusal = AccessDenied("the user said no")
        return refusal_to_client(begun.request, refusal, client, issuer=provider.issuer)
    if not is_program_on_the_device(begun.request, client):  # which is asked each time, whatever it was allowed
        given = await provider.store.write(
            consents.give,
            login_session.sub,
            client.client_id,
            frozenset(scopes_to_allow(begun.request, client)),
            now=provider.clock(),
        )
        if not given:
            raise LoginEnded
    browser = provider.login_sessions.fingerprint(request)
    return await answer(begun, login_session, provider, browser=browser, just_allowed=True)


def _subject(sealed: str, begun: Begun, client: Client) -> str:
    """What the user says yes to: a client that has changed while the page was open gets nothing by it."""
    return " ".join([sealed, *scopes_to_allow(begun.request, client), client.client_name])


async def _asking_client(begun: Begun, provider: Provider) -> tuple[Client, Begun]:
    """The client, and the request with the scopes that the client may have: the user is asked about no others.

    The seal only proves that the request passed through here, so its parameters are checked again. An OAuthError is
    shown as a page.
    """
    client = await trusted_client(begun.request, provider.registry)
    apis = await provider.registry.now()
    return client, replace(begun, request=check_parameters(begun.request, client, apis, issuer=provider.issuer))
