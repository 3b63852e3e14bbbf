"""Check the parameters of an authorization request. Errors go to the redirect_uri (RFC 6749 §4.1.2.1)."""

import re
from dataclasses import replace

from auth_service.authorization.request import PROMPTS, AuthorizationRequest
from auth_service.http.form import RepeatedParameter
from auth_service.store.clients.apis import Apis
from auth_service.store.clients.clients import Client
from auth_service.vocabulary.acr import ACR_VALUES
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestURINotSupported,
    UnauthorizedClient,
    UnmetAuthenticationRequirements,
    UnsupportedResponseType,
    quoted,
)
from tallystick.scope import parse_scope
from tallystick_service.urls import without_root_path

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")


def check_parameters(request: AuthorizationRequest, client: Client, apis: Apis, *, issuer: str) -> AuthorizationRequest:
    """Return the request with its `scopes` and `resources`. Each check raises the OAuthError that its RFC names."""
    if request.form.repeated:
        raise RepeatedParameter(request.form.repeated)
    check_response_type(request)
    check_unsupported(request)
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClient(
            "this client is not registered for the authorization code grant", reason="grant_not_registered"
        )
    check_code_challenge(request, client)
    resources = check_resources(request, client, apis, issuer=issuer)
    scopes = check_scope(request, client, apis, resources=resources, issuer=issuer)
    check_prompt(request)
    check_claims(request)
    return replace(request, scopes=scopes, resources=resources)


def check_response_type(request: AuthorizationRequest) -> None:
    response_type = request.form.get("response_type")
    if response_type is None:
        raise InvalidRequest("response_type is missing", reason="response_type_missing")
    if response_type != "code":
        raise UnsupportedResponseType("response_type must be code")
    if request.response_mode is None:
        raise InvalidRequest("response_mode must be query or form_post", reason="response_mode_unsupported")


def check_unsupported(request: AuthorizationRequest) -> None:
    """A request object must be refused: without it, the rest is a different request (OIDC Core §3.1.2.6)."""
    if "request" in request.form:
        raise RequestNotSupported("request objects are not supported")
    if "request_uri" in request.form:
        raise RequestURINotSupported("request_uri is not supported")
    if "registration" in request.form:
        raise RegistrationNotSupported("the registration parameter is not supported")


def check_code_challenge(request: AuthorizationRequest, client: Client) -> None:
    """PKCE, S256 only (RFC 7636 §4.3, RFC 9700 §2.1.1)."""
    code_challenge = request.form.get("code_challenge")
    method = request.form.get("code_challenge_method")
    if code_challenge is None:
        if client.require_pkce:
            raise InvalidRequest("code_challenge is missing", reason="code_challenge_missing")
        if method is not None:
            raise InvalidRequest("code_challenge_method without a code_challenge", reason="code_challenge_missing")
        return
    if method != "S256":
        raise InvalidRequest("code_challenge_method must be S256", reason="code_challenge_method")
    if not _S256_CHALLENGE.fullmatch(code_challenge):
        raise InvalidRequest("code_challenge must be 43 characters of base64url", reason="code_challenge_malformed")


def check_scope(
    request: AuthorizationRequest, client: Client, apis: Apis, *, resources: tuple[str, ...], issuer: str
) -> tuple[str, ...]:
    """Return the scopes that a code can be issued for, in the order of the request.

    Unknown scopes are left out (OIDC Core §3.1.2.1, RFC 6749 §3.3). If the request names resources, the scopes of
    other APIs are left out as well, because no token of this code could have them.

    Raises InvalidScope for a known scope that the client may not have, and for a request without a known scope;
    InvalidTarget for scopes of several APIs without `resources`, and if no scope belongs to the named resources.
    """
    audiences = {scope: _audience(scope, apis, issuer) for scope in _requested_scopes(request, client, apis)}
    if request.form.get("scope") is None and resources:
        audiences = {scope: audience for scope, audience in audiences.items() if audience in resources}
    if not_allowed := [scope for scope in audiences if scope not in client.scopes]:
        raise InvalidScope(f"this client may not have the scope {not_allowed[0]}", reason="scope_not_registered")
    if not resources:
        owners = {audience: scope for scope, audience in audiences.items() if audience != issuer}
        if len(owners) > 1:
            one, other, *_ = owners.values()
            text = f"{one} and {other} are scopes of different APIs: name one by the resource parameter"
            raise InvalidTarget(text, reason="audience_ambiguous")
        return tuple(audiences)
    if not set(audiences.values()) & set(resources):
        text = f"the request has no scope of the resource {quoted(resources[0])}"
        raise InvalidTarget(text, reason="scope_missing")
    return tuple(scope for scope, audience in audiences.items() if audience in (issuer, *resources))


def _requested_scopes(request: AuthorizationRequest, client: Client, apis: Apis) -> tuple[str, ...]:
    """The known scopes of the request; without the parameter `scope`, those that the client is registered for.

    The default does not have offline_access: a client must ask for tokens that outlive the login (OIDC Core §11).
    """
    text = request.form.get("scope")
    try:
        words = parse_scope(client.scope if text is None else text)
    except ValueError:
        raise InvalidScope("the scope is malformed", reason="scope_malformed") from None
    known = tuple(
        scope
        for scope in words
        if (scope in OIDC_SCOPES or scope in apis.owner) and not (text is None and scope == "offline_access")
    )
    if known:
        return known
    if text is None:
        raise InvalidScope("the request has no scope, and this client is registered for none", reason="scope_missing")
    if not words:
        raise InvalidScope("the request has no scope", reason="scope_missing")
    raise InvalidScope(f"the scope {quoted(words[0])} is not known here", reason="scope_unknown")


def _audience(scope: str, apis: Apis, issuer: str) -> str:
    api = apis.owner.get(scope)
    return issuer if api is None else api.audience


def check_prompt(request: AuthorizationRequest) -> None:
    if not request.prompts <= PROMPTS:
        raise InvalidRequest("prompt has an unknown value", reason="prompt_invalid")
    if "none" in request.prompts and len(request.prompts) > 1:
        raise InvalidRequest("prompt=none allows no other value", reason="prompt_invalid")
    if not _MAX_AGE.fullmatch(request.form.get("max_age", "0")):
        raise InvalidRequest("max_age must be a number of seconds", reason="max_age_malformed")


def check_claims(request: AuthorizationRequest) -> None:
    """Raises UnmetAuthenticationRequirements if none of the essential acr values is supported (OIDC Core §5.5.1.1).

    Voluntary acr values, and those of `acr_values`, need not be met. Raises InvalidRequest for a malformed `claims`.
    """
    essential_acrs = request.claims.essential_acrs
    if essential_acrs is not None and essential_acrs.isdisjoint(ACR_VALUES):
        raise UnmetAuthenticationRequirements("none of the essential acr values can be met")


def check_resources(request: AuthorizationRequest, client: Client, apis: Apis, *, issuer: str) -> tuple[str, ...]:
    """Return the declared audiences that the `resource` parameters name (RFC 8707 §2.1).

    Each must name an API with a scope that the client may have, or the issuer, which means userinfo. Raises
    InvalidTarget for any other resource.
    """
    audiences = []
    for resource in request.form.resources:
        api = apis.for_resource(resource)
        if api is not None and not client.scopes.isdisjoint(api.scopes):
            audiences.append(api.audience)
        elif without_root_path(resource) == issuer and not OIDC_SCOPES.isdisjoint(client.scopes):
            audiences.append(issuer)
        else:
            text = f"the resource {quoted(resource)} is not an API that this client may use"
            raise InvalidTarget(text, reason="resource_unknown" if api is None else "resource_not_allowed")
    return tuple(dict.fromkeys(audiences))
