"""grant_type=authorization_code (RFC 6749 §4.1.3, RFC 7636 §4.5, OIDC Core §3.1.3)."""

import hashlib
import hmac
import re
import secrets

from auth_service.grants.audience import choose_target
from auth_service.grants.context import GrantContext
from auth_service.http.form import Form
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import authorization_codes
from auth_service.store.tokens.authorization_codes import AuthorizationCode
from auth_service.store.tokens.token_families import NO_REFRESH_TOKEN, Family, Replayed
from auth_service.tokens.issuer import TokenResponse
from auth_service.tokens.refresh_token import SECRET_BYTES
from tallystick import base64url
from tallystick.errors import InvalidGrant, InvalidRequest

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


async def exchange_authorization_code(form: Form, client: Client, context: GrantContext) -> TokenResponse:
    """Every check comes before the code is redeemed, so that a refused request does not spend it."""
    code_hash = hashlib.sha256(form.require("code").encode()).digest()
    found = await context.store.read(authorization_codes.find_code, code_hash)
    code = check_code(found, form, client, now=context.clock())
    target = choose_target(
        code.authorization.scope,
        requested=form.resources,
        allowed=code.authorization.resources,
        apis=await context.registry.apis(),
        issuer=context.issuer,
    )
    await context.token_issuer.require_keys(client.id_token_signed_response_alg)

    lifetime = context.family_lifetime
    has_refresh_token = "refresh_token" in client.grant_types
    secret = secrets.token_bytes(SECRET_BYTES)
    outcome = await context.status_indexes.begin_family(
        lambda status_index: context.store.write(
            authorization_codes.redeem_code,
            code_hash,
            secrets.token_bytes(16),
            status_index,
            context.refresh_tokens.first(secret) if has_refresh_token else NO_REFRESH_TOKEN,
            now=context.clock(),
            lifetime=lifetime if has_refresh_token else lifetime.without_refresh_token(),
        )
    )
    family = _family_of(outcome, context)

    response = await context.token_issuer.access_token_response(family, audience=target.audience, scope=target.scope)
    if "openid" in code.authorization.scope.split():
        response["id_token"] = await context.token_issuer.id_token(family, client, nonce=code.nonce)
    if has_refresh_token:
        response["refresh_token"] = await context.refresh_tokens.encode(family, secret)
    return response


def _family_of(outcome: Family | Replayed | None, context: GrantContext) -> Family:
    """The family that the code gave. Raises InvalidGrant when it gave none."""
    if isinstance(outcome, Family):
        return outcome
    if isinstance(outcome, Replayed) and outcome.has_revoked:
        context.metrics.revocations.inc("replayed_code")
    raise InvalidGrant(
        "the code was used before, has expired, or its login session has ended",
        reason="code_spent" if isinstance(outcome, Replayed) else "grant_ended",
    )


def check_code(code: AuthorizationCode | None, form: Form, client: Client, *, now: int) -> AuthorizationCode:
    """Check that the token request matches the authorization request of the code, and return the code.

    Raises InvalidGrant; InvalidRequest for a malformed verifier.
    """
    if code is None or code.authorization.client_id != client.client_id:
        raise InvalidGrant(
            "the code is unknown or was issued to another client",
            reason="code_unknown" if code is None else "code_of_another_client",
        )
    if code.redirect_uri != form.get("redirect_uri"):
        raise InvalidGrant("redirect_uri differs from the authorization request's", reason="redirect_uri_differs")
    check_code_verifier(form.get("code_verifier"), code.code_challenge)
    if code.redeemed_at is None and code.expires_at <= now:
        raise InvalidGrant("the code has expired", reason="code_expired")
    return code


def check_code_verifier(code_verifier: str | None, code_challenge: str | None) -> None:
    """PKCE with S256 (RFC 7636 §4.6).

    A verifier without a challenge is refused, too: an attacker may have removed the challenge from the authorization
    request (RFC 9700 §4.8.2).
    """
    if code_verifier is None and code_challenge is None:
        return
    if code_verifier is None or code_challenge is None:
        raise InvalidGrant(
            "code_verifier and code_challenge go together",
            reason="code_verifier_missing" if code_verifier is None else "code_verifier_unexpected",
        )
    if not _CODE_VERIFIER.fullmatch(code_verifier):
        raise InvalidRequest("code_verifier must be 43 to 128 unreserved characters", reason="code_verifier_malformed")
    computed = base64url.encode(hashlib.sha256(code_verifier.encode()).digest())
    if not hmac.compare_digest(computed, code_challenge):
        raise InvalidGrant("code_verifier does not match the code_challenge", reason="code_verifier_wrong")
