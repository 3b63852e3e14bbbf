"""The authorization response: a code or an error, with `state` and `iss` (RFC 6749 §4.1.2, RFC 9207)."""

import hashlib
import secrets
from dataclasses import dataclass

from auth_service.authorization.consent_rules import required_stored_consent
from auth_service.authorization.pending import CheckedAuthorization
from auth_service.authorization.request import AuthorizationRequest
from auth_service.http.redirects import add_query
from auth_service.store.tokens import authorization_codes
from auth_service.store.tokens.authorization import Authorization
from auth_service.store.tokens.authorization_codes import AuthorizationCode, NotIssued
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import OAuthError
from tallystick_service.store import Store


@dataclass(frozen=True)
class AuthorizationResponse:
    """`parameters` for the client: in the query of `redirect_uri`, or in a form that the browser posts to it."""

    redirect_uri: str
    parameters: dict[str, str]
    is_form_post: bool

    @property
    def url(self) -> str:
        """The redirect_uri with the parameters in its query."""
        return add_query(self.redirect_uri, self.parameters)


async def issue_code(
    authorization: CheckedAuthorization, login_session: LoginSession, store: Store, *, now: int, lifetime: int
) -> str | NotIssued:
    """Store a new code of 256 random bits, which expires after `lifetime` seconds.

    NotIssued: the client, the consent or the login session has changed since the request was decided.
    """
    request, client = authorization.request, authorization.client
    code = secrets.token_urlsafe(32)
    not_issued = await store.write(
        authorization_codes.store_code,
        hashlib.sha256(code.encode()).digest(),
        AuthorizationCode(
            Authorization(
                client_id=client.client_id,
                sub=login_session.sub,
                sid=login_session.sid,
                scope=" ".join(request.scopes),
                resources=list(request.resources),
                claims=request.claims.within(client.scopes).stored(),
                auth_time=login_session.auth_time,
                acr=login_session.acr,
            ),
            redirect_uri=request.redirect_uri or "",
            nonce=request.form.get("nonce"),
            code_challenge=request.form.get("code_challenge"),
            expires_at=now + lifetime,
        ),
        client=client,
        needs_consent_to=required_stored_consent(authorization),
        now=now,
    )
    return not_issued or code


def with_code(request: AuthorizationRequest, code: str, *, issuer: str) -> AuthorizationResponse:
    return _response(request, {"code": code}, issuer=issuer)


def with_error(request: AuthorizationRequest, refusal: OAuthError, *, issuer: str) -> AuthorizationResponse:
    return _response(request, {"error": refusal.error, "error_description": refusal.description}, issuer=issuer)


def _response(request: AuthorizationRequest, parameters: dict[str, str], *, issuer: str) -> AuthorizationResponse:
    if request.state is not None:
        parameters["state"] = request.state
    parameters["iss"] = issuer
    return AuthorizationResponse(
        redirect_uri=request.redirect_uri or "",
        parameters={name: value for name, value in parameters.items() if value},
        is_form_post=request.response_mode == "form_post",
    )
