"""grant_type=refresh_token (RFC 6749 §6). The refresh token is rotated at each use (RFC 9700 §4.14.2)."""

import secrets

from auth_service.grants.audience import Target, choose_target, narrow_scope
from auth_service.grants.context import GrantContext
from auth_service.http.form import Form
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import refresh_tokens
from auth_service.store.tokens.refresh_tokens import Grace, Repeated, Rotated
from auth_service.store.tokens.token_families import Family, Replayed
from auth_service.tokens.issuer import TokenResponse
from auth_service.tokens.refresh_token import SECRET_BYTES
from tallystick.errors import InvalidGrant
from tallystick.refusal_reasons import Reason


async def exchange_refresh_token(form: Form, client: Client, context: GrantContext) -> TokenResponse:
    """A replay is detected before any other error of the request. Any other refused request spends nothing."""
    token, secret = await context.refresh_tokens.decode(form.require("refresh_token"), client.client_id)
    apis = await context.registry.apis()
    await context.token_issuer.require_keys(client.id_token_signed_response_alg)

    def target_of(family: Family) -> Target:
        authorization = family.authorization
        # A scope that the client has lost since is not granted again.
        granted = " ".join(word for word in authorization.scope.split() if word in client.scopes)
        if not granted:
            raise _refused("scope_not_registered")
        return choose_target(
            narrow_scope(form.get("scope"), granted=granted, apis=apis),
            requested=form.resources,
            allowed=authorization.resources,
            apis=apis,
            issuer=context.issuer,
        )

    new_secret = secrets.token_bytes(SECRET_BYTES) if secret is None else None
    outcome = await context.store.write(
        refresh_tokens.rotate_refresh_token,
        token,
        target_of,
        successor=context.refresh_tokens.successor(new_secret),
        grace=Grace(context.lifetimes.grace_of(is_public=client.is_public), only_once=client.is_public),
        now=context.clock(),
        lifetime=context.family_lifetime,
        login_session_idle=context.lifetimes.login_session_idle,
    )
    family = _family_of(outcome, client, context)
    target = target_of(family)
    response = await context.token_issuer.access_token_response(family, audience=target.audience, scope=target.scope)
    response["refresh_token"] = await context.refresh_tokens.encode(family, secret or new_secret or b"")
    if "openid" in target.scope.split():
        response["id_token"] = await context.token_issuer.id_token(family, client)
    return response


def _family_of(outcome: Rotated | Repeated | Replayed | None, client: Client, context: GrantContext) -> Family:
    """The family to issue tokens for. Counts repetitions and replays. Raises InvalidGrant when there is no family."""
    match outcome:
        case Rotated(family):
            return family
        case Repeated(family):
            kind = "public" if client.is_public else "confidential"
            context.metrics.refresh_token_repeats.inc(kind, "refused" if family is None else "answered")
            if family is not None:
                return family
            raise _refused("refresh_token_replayed")
        case Replayed(has_revoked):
            if has_revoked:
                context.metrics.revocations.inc("replayed_refresh_token")
            raise _refused("refresh_token_replayed")
        case None:
            raise _refused("grant_ended")


def _refused(reason: Reason) -> InvalidGrant:
    return InvalidGrant("the refresh token has expired, was used before, or its login session has ended", reason=reason)
