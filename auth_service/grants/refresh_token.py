"""grant_type=refresh_token (RFC 6749 §6), rotated at each use (RFC 9700 §4.14.2)."""

import hashlib
import secrets

from auth_service.grants.audience import Target, choose_target, narrowed
from auth_service.http.form import Form
from auth_service.keys.service_secrets import REFRESH_KEY
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import refresh_tokens
from auth_service.store.tokens.refresh_tokens import Grace, Repeated, Rotated, Successor
from auth_service.store.tokens.token_families import Family, Replayed
from auth_service.tokens.issuer import Issuing, TokenResponse
from auth_service.tokens.refresh_token import SECRET_BYTES
from tallystick.errors import InvalidGrant
from tallystick.refusal_reasons import Reason


async def exchange(form: Form, client: Client, issuing: Issuing) -> TokenResponse:
    """A replay is found first, whatever else is wrong with the request. Otherwise a refused request spends nothing."""
    token, secret = await issuing.read_refresh_token(form.require("refresh_token"), client)
    apis = await issuing.registry.apis()
    await issuing.keys_are_there(client)  # or say so before anything is rotated

    def target_of(family: Family) -> Target:
        # A scope that has been taken from the client since is not granted again.
        granted = " ".join(word for word in family.scope.split() if word in client.scopes)
        if not granted:
            raise _refused("scope_not_registered")
        return choose_target(
            narrowed(form.get("scope"), granted=granted, apis=apis),
            asked=form.resources,
            allowed=family.resources,
            apis=apis,
            issuer=issuing.issuer,
        )

    new_secret = secrets.token_bytes(SECRET_BYTES) if secret is None else None
    outcome = await issuing.store.write(
        refresh_tokens.rotate,
        token,
        target_of,
        successor=Successor(
            max(issuing.secrets.versions(REFRESH_KEY)), hashlib.sha256(new_secret).digest() if new_secret else None
        ),
        grace=Grace(issuing.lifetimes.grace_of(is_public=client.is_public), only_once=client.is_public),
        now=issuing.clock(),
        lifetime=issuing.family_lifetime,
        login_session_idle=issuing.lifetimes.login_session_idle,
    )
    family = _family_of(outcome, client, issuing)
    target = target_of(family)
    response = await issuing.access_token(family, audience=target.audience, scope=target.scope)
    response["refresh_token"] = await issuing.refresh_token(family, client, secret or new_secret or b"")
    if "openid" in target.scope.split():
        response["id_token"] = await issuing.id_token(family, client, sid=family.login_sid)
    return response


def _family_of(outcome: Rotated | Repeated | Replayed | None, client: Client, issuing: Issuing) -> Family:
    """The family to issue tokens for, after counting what is worth a look. Raises InvalidGrant when there is none."""
    match outcome:
        case Rotated(family):
            return family
        case Repeated(family):
            kind = "public" if client.is_public else "confidential"
            issuing.metrics.refresh_token_repeats.inc(kind, "refused" if family is None else "answered")
            if family is not None:
                return family
            raise _refused("refresh_token_replayed")
        case Replayed(has_ended):
            if has_ended:
                issuing.metrics.revocations.inc("replayed_refresh_token")
            raise _refused("refresh_token_replayed")
        case None:
            raise _refused("grant_ended")


def _refused(reason: Reason) -> InvalidGrant:
    return InvalidGrant("the refresh token has expired, was used before, or its login session has ended", reason=reason)
