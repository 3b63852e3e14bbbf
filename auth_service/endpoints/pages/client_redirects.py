"""The way back to a client: a redirect where the address is trusted, else a page that names it (RFC 9700 §4.11.2).

An address is trusted if an operator vouches for it, or if the user who is signed in has allowed the client something.
"""

from fastapi import Response

from auth_service.authorization.request import AuthorizationRequest
from auth_service.authorization.response import AuthorizationResponse, with_error
from auth_service.client_metadata.redirect_uris import shown_target, web_origin
from auth_service.composition import Provider
from auth_service.pages import form_post_page, page
from auth_service.store.clients.clients import Client
from auth_service.store.users import consents
from auth_service.store.users.login_sessions import LoginSession
from auth_service.telemetry.refusal_log import log_refusal
from tallystick.errors import OAuthError


async def refusal_to_client(
    request: AuthorizationRequest,
    refusal: OAuthError,
    client: Client,
    login_session: LoginSession | None,
    provider: Provider,
) -> Response:
    """Send the browser back with `error` (RFC 6749 §4.1.2.1), at once or by a page that names the target; log why."""
    back = with_error(request, refusal, issuer=provider.issuer)
    if is_vouched_for(client, back.redirect_uri, provider) or await _has_consent(client, login_session, provider):
        response = back_to_client(back, client)
    else:
        response = page(
            "leaving",
            status=400,
            client=client,
            target=shown_target(back.redirect_uri),
            url=None if back.is_form_post else back.url,
            action=back.redirect_uri,
            fields=back.parameters,
            error=refusal.error,
            is_signed_out=False,
        )
    log_refusal(refusal, status=response.status_code)
    return response


def signed_out_page(client: Client, url: str) -> Response:
    """After a sign-out, a link back to a client for which no operator vouches."""
    return page("leaving", client=client, target=shown_target(url), url=url, error=None, is_signed_out=True)


def is_vouched_for(client: Client, uri: str, provider: Provider) -> bool:
    """Whether an operator vouches for this address of the client."""
    return client.is_vouched_for or web_origin(uri) in provider.settings.registration.trusted_redirect_origins


async def _has_consent(client: Client, login_session: LoginSession | None, provider: Provider) -> bool:
    if login_session is None:
        return False
    return bool(await provider.store.read(consents.find_consented_scopes, login_session.sub, client.client_id))


def back_to_client(response: AuthorizationResponse, client: Client) -> Response:
    """At once: the caller has made sure that the user may be sent there unasked."""
    if response.is_form_post:
        return form_post_page(response.redirect_uri, response.parameters, client=client)
    return redirect(response.url)


def redirect(url: str) -> Response:
    """303 and never 307, which would send a form and the password in it along (RFC 9700 §4.12)."""
    headers = {"Cache-Control": "no-store", "Location": url}
    return Response(status_code=303, headers=headers)
