"""grant_type=authorization_code (RFC 6749 §4.1.3, RFC 7636 §4.5, OIDC Core §3.1.3)."""

import hashlib
import hmac
import re
import secrets

from auth_service.grants.audience import choose_target
from auth_service.http.form import Form
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import authorization_codes
from auth_service.store.tokens.authorization_codes import AuthorizationCode
from auth_service.store.tokens.token_families import NO_REFRESH_TOKEN, Family, Replayed
from auth_service.tokens.issuer import Issuing, TokenResponse
from auth_service.tokens.refresh_token import SECRET_BYTES
from tallystick import base64url
from tallystick.errors import InvalidGrant, InvalidRequest

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


async def exchange(form: Form, client: Client, issuing: Issuing) -> TokenResponse:
    """Everything that could refuse the request comes before the code is spent: a refused attempt spends nothing."""
    code_hash = hashlib.sha256(form.require("code").encode()).digest()
    code = check_code(await issuing.store.read(authorization_codes.find, code_hash), form, client, now=issuing.clock())
    target = choose_target(
        code.scope,
        asked=form.resources,
        allowed=code.resources,
        apis=await issuing.registry.apis(),
        issuer=issuing.issuer,
    )
    await issuing.keys_are_there(client)  # or say so while the code can still be used

    lifetime = issuing.family_lifetime
    has_refresh_token = "refresh_token" in client.grant_types
    secret = secrets.token_bytes(SECRET_BYTES)
    async with issuing.status_indexes.drawn() as status_index:
        family = await issuing.store.write(
            authorization_codes.redeem,
            code_hash,
            secrets.token_bytes(16),
            status_index,
            issuing.refresh_secret(secret) if has_refresh_token else NO_REFRESH_TOKEN,
            now=issuing.clock(),
            lifetime=lifetime if has_refresh_token else lifetime.without_refresh_token(),
        )
    if not isinstance(family, Family):
        issuing.status_indexes.put_back(status_index)  # or whoever repeats a code all day would use them up
        if isinstance(family, Replayed) and family.has_ended:
            issuing.metrics.revocations.inc("replayed_code")
        raise InvalidGrant(
            "the code was used before, has expired, or its login session has ended",
            reason="code_spent" if isinstance(family, Replayed) else "grant_ended",
        )

    response = await issuing.access_token(family, audience=target.audience, scope=target.scope)
    if "openid" in code.scope.split():
        response["id_token"] = await issuing.id_token(family, client, sid=code.sid, nonce=code.nonce)
    if has_refresh_token:
        response["refresh_token"] = await issuing.refresh_token(family, client, secret)
    return response


def check_code(code: AuthorizationCode | None, form: Form, client: Client, *, now: int) -> AuthorizationCode:
    """That this request is the one the code was issued for.

    Raises InvalidGrant, or InvalidRequest for a malformed verifier.
    """
    if code is None or code.client_id != client.client_id:
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

    A verifier without a challenge is refused, too: the challenge was taken away on its way (RFC 9700 §4.8.2).
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
