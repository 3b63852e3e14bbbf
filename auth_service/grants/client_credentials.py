"""grant_type=client_credentials (RFC 6749 §4.4): a client acts for itself; `sub` is its client_id (RFC 9068 §2.2)."""

from auth_service.grants.audience import choose_target
from auth_service.grants.context import GrantContext
from auth_service.http.form import Form
from auth_service.store.clients.apis import Apis
from auth_service.store.clients.clients import Client
from auth_service.tokens.issuer import TokenResponse
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.errors import InvalidClient, InvalidScope, quoted
from tallystick.scope import parse_scope


async def exchange_client_credentials(form: Form, client: Client, context: GrantContext) -> TokenResponse:
    """There is no refresh token: the client can always ask again (RFC 6749 §4.4.3)."""
    apis = await context.registry.apis()
    scope = check_scope(form.get("scope"), client, apis, resources=form.resources)
    target = choose_target(scope, requested=form.resources, allowed=(), apis=apis, issuer=context.issuer)
    await context.token_issuer.require_keys()
    family = await context.client_families.get_or_create(client.client_id)
    if family is None:
        raise InvalidClient("client authentication failed", reason="grant_ended")
    return await context.token_issuer.access_token_response(family, audience=target.audience, scope=target.scope)


def check_scope(scope: str | None, client: Client, apis: Apis, *, resources: tuple[str, ...]) -> str:
    """The scopes to grant: the requested ones, or by default all that the client is registered for (RFC 6749 §3.3).

    When `resources` names one API, the default is limited to that API's scopes. Raises InvalidScope for a scope that
    the client is not registered for, and for OpenID Connect's scopes, which need a user.
    """
    if scope is None:
        default = client.scopes & apis.owner.keys()
        if not default:
            raise InvalidScope("this client is registered for no scope of an API", reason="scope_missing")
        if len(resources) == 1 and (api := apis.for_resource(resources[0])) is not None:
            default &= api.scopes.keys()
        return " ".join(sorted(default))
    try:
        words = parse_scope(scope)
    except ValueError:
        raise InvalidScope("the scope is malformed", reason="scope_malformed") from None
    for word in words:
        if word in OIDC_SCOPES:
            text = f"the scope {word} is about a user, and no user signs in here"
            raise InvalidScope(text, reason="scope_needs_user")
        if word not in apis.owner:
            raise InvalidScope(f"the scope {quoted(word)} is not known here", reason="scope_unknown")
        if word not in client.scopes:
            raise InvalidScope(f"this client may not have the scope {word}", reason="scope_not_registered")
    if not words:
        raise InvalidScope("the request has no scope", reason="scope_missing")
    return " ".join(words)
