"""What a client says of itself, judged (RFC 7591 §2, §3.1; OIDC Registration §2)."""

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
"""Of one registration. All of it is remembered, by each process, for as long as the client is busy."""

_OF_THE_SERVER = frozenset(
    {"client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri"}
)
"""What only we may say; an update must not hold it (RFC 7592 §2.2)."""

_NOT_DONE_HERE = (
    *("id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "authorization_signed_response_alg"),
    *("require_signed_request_object", "require_pushed_authorization_requests"),
    *("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"),
)
"""What a client may count on for its safety. Other fields that we do not know are ignored, as RFC 7591 §2 asks."""

_KNOWN_ENTRIES = {"grant_types": SELF_REGISTERED_GRANT_TYPES, "response_types": ("code",)}

_ADDRESSES = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri", "jwks_uri")
_OURS_TO_EXPLAIN = frozenset(
    {"literal_error", "missing", "string_type", "bool_type", "int_type", "list_type", "dict_type", "too_long"}
)
"""Kinds of mistakes whose text repeats nothing of what was sent."""


RegisteredName = Annotated[Name, checked_by(check_client_name, "client_name")]


class RegisteredMetadata(ClientMetadata):
    """ClientMetadata from a stranger: each field of its own type, and nothing that only we may grant.

    Without an algorithm it is RS256 (OIDC Registration §2).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    client_name: RegisteredName | None = None
    redirect_uris: list[Annotated[str, Field(max_length=2000)]] = Field(default=[], max_length=20)
    response_types: list[Literal["code"]] = Field(default=["code"], min_length=1, max_length=1)
    subject_type: Literal["public"] = "public"
    scope: Scope
    id_token_signed_response_alg: SigningAlg = "RS256"  # noqa: S105

    @model_validator(mode="after")
    def _addresses_are_https(self) -> Self:
        for field in (*_ADDRESSES, "backchannel_logout_uri"):
            if not (getattr(self, field) or "https:").startswith("https:"):
                raise PydanticCustomError("plain_http", "{field} must be an https URL", {"field": field})
        return self

    @model_validator(mode="after")
    def _private_use_schemes_are_allowed(self, info: ValidationInfo) -> Self:
        """A scheme with a dot is a domain name backwards (RFC 8252 §7.1); the configuration lists the others."""
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
    def _asks_for_users_only(self) -> Self:
        if "client_credentials" in self.grant_types:
            raise ValueError("the grant client_credentials is for clients that the configuration declares")
        return self


class RegistrationClosed(AccessDenied):
    """No client may register itself. RFC 7591 §3.2.2 defines no code for it; this one is RFC 6749's."""

    status = 403
    reason = "registration_closed"


def parse_registration(body: bytes) -> dict[str, Any]:
    """The members of a request without those that are null or an empty string: they count as left out (RFC 7592 §2.2).

    Raises InvalidClientMetadata for what is not one JSON object, or longer than MAX_BYTES.
    """
    if len(body) > MAX_BYTES:
        raise InvalidClientMetadata(f"the body has more than {MAX_BYTES} bytes", reason="body_too_large")
    try:
        return {name: value for name, value in parse_object(body).items() if value is not None and value != ""}
    except ValueError:
        raise InvalidClientMetadata("the body must be one JSON object", reason="body_not_json") from None


def judge(
    request: dict[str, Any],
    *,
    require_pkce: bool,
    known_scopes: frozenset[str],
    private_use_schemes: Collection[str] = (),
) -> RegisteredMetadata:
    """The metadata to register.

    `known_scopes` are those of the APIs; `private_use_schemes` are the allowed ones that have no dot.
    Raises InvalidRedirectURI or InvalidClientMetadata; the description names the field, and none of its contents.
    """
    for name in _NOT_DONE_HERE:
        if request.get(name):
            raise InvalidClientMetadata(f"{name} is not supported")
    try:
        metadata = RegisteredMetadata.model_validate(
            _with_defaults(request, known_scopes) | {"require_pkce": require_pkce}, context=private_use_schemes
        )
    except ValidationError as mistakes:
        raise _refusal(mistakes.errors(include_url=False)[0]) from None
    if not (OIDC_SCOPES | known_scopes).issuperset(parse_scope(metadata.scope)):
        raise InvalidClientMetadata("scope names one that no API here understands")
    return metadata


def _with_defaults(request: dict[str, Any], known_scopes: frozenset[str]) -> dict[str, Any]:
    """The request as we take it (RFC 7591 §2). What differs from the client's own words is told in the answer.

    Without `scope`, the client may ask for every scope that a client of its kind may have. Unknown entries of
    grant_types and response_types are left out, unless nothing remains: then the refusal says which ones there are.
    RFC 7591 has no application_type, so a client that names none is native if one of its redirect URIs is.
    """
    defaults: dict[str, Any] = {"scope": " ".join(sorted(OIDC_SCOPES | known_scopes))}
    uris = request.get("redirect_uris")
    if isinstance(uris, list) and any(isinstance(uri, str) and has_private_use_scheme(uri) for uri in uris):
        defaults["application_type"] = "native"
    known_entries: dict[str, Any] = {}
    for field, known in _KNOWN_ENTRIES.items():
        asked = request.get(field)
        if isinstance(asked, list) and all(isinstance(entry, str) for entry in asked):
            kept = [entry for entry in dict.fromkeys(asked) if entry in known]
            known_entries |= {field: kept} if kept else {}
    return defaults | request | known_entries


def check_update(request: dict[str, Any], *, client_id: str) -> None:
    """An update names its client and nothing that is ours to say (RFC 7592 §2.2). Raises InvalidClientMetadata."""
    if request.get("client_id") != client_id:
        raise InvalidClientMetadata("client_id must be the client's own")
    if not _OF_THE_SERVER.isdisjoint(request):
        raise InvalidClientMetadata(f"an update must not hold any of {', '.join(sorted(_OF_THE_SERVER))}")


def _refusal(mistake: ErrorDetails) -> InvalidClientMetadata | InvalidRedirectURI:
    field = str(mistake["loc"][0]) if mistake["loc"] else ""
    match mistake["type"]:
        case "redirect_uri":
            context = mistake["ctx"]
            kind = InvalidRedirectURI if context["field"] == "redirect_uris" else InvalidClientMetadata
            return kind(f"{context['field']}: one of them {context['reason']}")
        case "plain_http":
            return InvalidClientMetadata(mistake["msg"])
        case "url" | "client_name":
            return InvalidClientMetadata(f"{field}: {mistake['msg']}")
        case "value_error" if not field:  # of a validator over all fields, in words of ours
            return InvalidClientMetadata(mistake["msg"].removeprefix("Value error, "))
        case kind_of_mistake if kind_of_mistake in _OURS_TO_EXPLAIN:
            return InvalidClientMetadata(f"{field}: {mistake['msg']}")
    return InvalidClientMetadata(f"{field} is malformed")
