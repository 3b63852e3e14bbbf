"""The metadata in a registration request (RFC 7591 §2, §3.1; OIDC Registration §2)."""

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from auth_service.client_metadata.metadata import ClientMetadata, Name, Scope, checked_by
from auth_service.client_metadata.names import check_client_name
from auth_service.client_metadata.redirect_uris import has_private_use_scheme
from auth_service.vocabulary.algorithms import SigningAlg
from auth_service.vocabulary.grant_types import SELF_REGISTERED_GRANT_TYPES
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.errors import AccessDenied, InvalidClientMetadata, InvalidRedirectURI
from tallystick.scope import parse_scope
from tallystick.strict_json import parse_object

MAX_BYTES = 16_384
"""The size of one registration. Each process caches all of it while the client is in use."""

_SERVER_FIELDS = frozenset(
    {"client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri"}
)
"""Set by the server only; an update must not have them (RFC 7592 §2.2)."""

_UNSUPPORTED_FIELDS = (
    *("id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "authorization_signed_response_alg"),
    *("require_signed_request_object", "require_pushed_authorization_requests"),
    *("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"),
)
"""Refused, because a client may rely on them for its security. Other unknown fields are ignored (RFC 7591 §2)."""

_SUPPORTED_VALUES = {"grant_types": SELF_REGISTERED_GRANT_TYPES, "response_types": ("code",)}

_URL_FIELDS = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri", "jwks_uri")
_QUOTABLE_ERRORS = frozenset(
    {"literal_error", "missing", "string_type", "bool_type", "int_type", "list_type", "dict_type", "too_long"}
)
"""Error types of pydantic with a message that does not quote the input."""


RegisteredName = Annotated[Name, checked_by(check_client_name, "client_name")]


class RegisteredMetadata(ClientMetadata):
    """The metadata of a self-registered client, validated without type conversions.

    The default of `id_token_signed_response_alg` is RS256 (OIDC Registration §2).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    client_name: RegisteredName | None = None
    redirect_uris: list[Annotated[str, Field(max_length=2000)]] = Field(default=[], max_length=20)
    response_types: list[Literal["code"]] = Field(default=["code"], min_length=1, max_length=1)
    subject_type: Literal["public"] = "public"
    scope: Scope
    id_token_signed_response_alg: SigningAlg = "RS256"  # noqa: S105

    @model_validator(mode="after")
    def _check_https(self) -> Self:
        for field in (*_URL_FIELDS, "backchannel_logout_uri"):
            if not (getattr(self, field) or "https:").startswith("https:"):
                raise PydanticCustomError("plain_http", "{field} must be an https URL", {"field": field})
        return self

    @model_validator(mode="after")
    def _check_private_use_schemes(self, info: ValidationInfo) -> Self:
        """A scheme with a dot is a reversed domain name (RFC 8252 §7.1). Others need an entry in the configuration."""
        listed: Collection[str] = info.context or ()
        for field in ("redirect_uris", "post_logout_redirect_uris"):
            for uri in getattr(self, field):
                scheme = uri.partition(":")[0]
                if has_private_use_scheme(uri) and "." not in scheme and scheme not in listed:
                    reason = (
                        "has a private-use scheme without a dot that [registration] private_use_schemes does not list"
                    )
                    raise PydanticCustomError("redirect_uri", "{field}: {reason}", {"field": field, "reason": reason})
        return self

    @model_validator(mode="after")
    def _check_grants(self) -> Self:
        if "client_credentials" in self.grant_types:
            raise ValueError("the grant client_credentials is for clients that the configuration declares")
        return self


class RegistrationClosed(AccessDenied):
    """Registration is turned off. RFC 7591 §3.2.2 defines no error code for this, so it is one of RFC 6749."""

    status = 403
    reason = "registration_closed"


def parse_registration(body: bytes) -> dict[str, Any]:
    """The members of a request. Null and the empty string count as omitted (RFC 7592 §2.2).

    Raises InvalidClientMetadata for a body that is not one JSON object, or has more than MAX_BYTES.
    """
    if len(body) > MAX_BYTES:
        raise InvalidClientMetadata(f"the body has more than {MAX_BYTES} bytes", reason="body_too_large")
    try:
        return {name: value for name, value in parse_object(body).items() if value is not None and value != ""}
    except ValueError:
        raise InvalidClientMetadata("the body must be one JSON object", reason="body_not_json") from None


def validate_metadata(
    request: dict[str, Any],
    *,
    require_pkce: bool,
    known_scopes: frozenset[str],
    private_use_schemes: Collection[str] = (),
) -> RegisteredMetadata:
    """The metadata to register, with defaults for omitted fields.

    `known_scopes` are those of the APIs. `private_use_schemes` are the allowed schemes without a dot.
    Raises InvalidRedirectURI or InvalidClientMetadata with a description that names the field and does not quote it.
    """
    for name in _UNSUPPORTED_FIELDS:
        if request.get(name):
            raise InvalidClientMetadata(f"{name} is not supported")
    try:
        metadata = RegisteredMetadata.model_validate(
            _with_defaults(request, known_scopes) | {"require_pkce": require_pkce}, context=private_use_schemes
        )
    except ValidationError as invalid:
        raise _refusal(invalid.errors(include_url=False)[0]) from None
    if not (OIDC_SCOPES | known_scopes).issuperset(parse_scope(metadata.scope)):
        raise InvalidClientMetadata("scope has a value that no API here has")
    return metadata


def _with_defaults(request: dict[str, Any], known_scopes: frozenset[str]) -> dict[str, Any]:
    """The request with defaults (RFC 7591 §2). The response tells the client what was changed.

    Without `scope`, the client is registered for every scope that a client of its kind may have. Unsupported values of
    grant_types and response_types are left out, unless no value remains: then the refusal lists the supported ones.
    RFC 7591 has no application_type, so a client without it is native if it has a redirect URI with a private-use
    scheme.
    """
    defaults: dict[str, Any] = {"scope": " ".join(sorted(OIDC_SCOPES | known_scopes))}
    uris = request.get("redirect_uris")
    if isinstance(uris, list) and any(isinstance(uri, str) and has_private_use_scheme(uri) for uri in uris):
        defaults["application_type"] = "native"
    supported: dict[str, Any] = {}
    for field, values in _SUPPORTED_VALUES.items():
        requested = request.get(field)
        if isinstance(requested, list) and all(isinstance(value, str) for value in requested):
            kept = [value for value in dict.fromkeys(requested) if value in values]
            supported |= {field: kept} if kept else {}
    return defaults | request | supported


def check_update(request: dict[str, Any], *, client_id: str) -> None:
    """An update has the client_id, and no field that the server sets (RFC 7592 §2.2). Raises InvalidClientMetadata."""
    if request.get("client_id") != client_id:
        raise InvalidClientMetadata("client_id must be the one in the URL")
    if not _SERVER_FIELDS.isdisjoint(request):
        raise InvalidClientMetadata(f"an update must not hold any of {', '.join(sorted(_SERVER_FIELDS))}")


def _refusal(error: ErrorDetails) -> InvalidClientMetadata | InvalidRedirectURI:
    field = str(error["loc"][0]) if error["loc"] else ""
    match error["type"]:
        case "redirect_uri":
            context = error["ctx"]
            kind = InvalidRedirectURI if context["field"] == "redirect_uris" else InvalidClientMetadata
            return kind(f"{context['field']}: one of them {context['reason']}")
        case "plain_http":
            return InvalidClientMetadata(error["msg"])
        case "url" | "client_name":
            return InvalidClientMetadata(f"{field}: {error['msg']}")
        case "value_error" if not field:  # from one of the validators over all fields, above
            return InvalidClientMetadata(error["msg"].removeprefix("Value error, "))
        case error_type if error_type in _QUOTABLE_ERRORS:
            return InvalidClientMetadata(f"{field}: {error['msg']}")
    return InvalidClientMetadata(f"{field} is malformed")
