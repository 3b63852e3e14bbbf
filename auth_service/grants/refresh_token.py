"""grant_type=refresh_token (RFC 6749 §6), rotated at each use (RFC 9700 §4.14.2)."""

from auth_service.form import Form
from auth_service.grants.audience import Target, choose_target, narrowed
from auth_service.store import token_families
from auth_service.store.clients import Client
from auth_service.store.token_families import Family, Replayed, Rotated
from auth_service.tokens import refresh_token
from auth_service.tokens.issuing import Issuing, TokenResponse
from tallystick.errors import InvalidGrant
from tallystick.refusal_reasons import Reason


async def exchange(form: Form, client: Client, issuing: Issuing) -> TokenResponse:
    """Whatever could refuse the request is judged with the family at hand; a refused attempt spends nothing."""
    token = refresh_token.read(form.require("refresh_token"), client.client_id, keys=issuing.refresh_keys)
    apis = await issuing.registry.now()
    await issuing.keys_are_there(client)  # or say so before anything is rotated

    def target_of(family: Family) -> Target:
        # What has been taken from the client since is not given again.
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

    rotated = await issuing.store.write(
        token_families.rotate,
        token.family_id,
        token.generation,
        target_of,
        now=issuing.clock(),
        grace=issuing.lifetimes.refresh_token_grace,
        lifetime=issuing.family_lifetime,
        login_session_idle=issuing.lifetimes.login_session_idle,
    )
    if not isinstance(rotated, Rotated):
        if isinstance(rotated, Replayed) and rotated.has_ended:
            issuing.metrics.revocations.inc("replayed_refresh_token")
        raise _refused("refresh_token_replayed" if isinstance(rotated, Replayed) else "grant_ended")

    target = target_of(rotated.family)
    response = await issuing.access_token(rotated.family, audience=target.audience, scope=target.scope)
    response["refresh_token"] = issuing.refresh_token(rotated.family, client)
    if "openid" in target.scope.split():
        response["id_token"] = await issuing.id_token(rotated.family, client, sid=rotated.family.login_sid)
    return response


def _refused(reason: Reason) -> InvalidGrant:
    return InvalidGrant("the refresh token has expired, was used before, or its login session has ended", reason=reason)
