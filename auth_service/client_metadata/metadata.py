"""Client metadata (RFC 7591 §2), for clients that the configuration file declares and for those that register."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from auth_service.client_metadata.jwks import check_client_jwks
from auth_service.client_metadata.redirect_uris import check_redirect_uri, check_web_url, web_origin
from auth_service.vocabulary.algorithms import AssertionAlg, SigningAlg
from auth_service.vocabulary.auth_methods import SECRET_METHODS, AuthMethod
from auth_service.vocabulary.grant_types import GrantType
from auth_service.vocabulary.scopes import ID_TOKEN_CLAIMS
from tallystick.scope import parse_scope
from tallystick_service.urls import to_ascii

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+\z")
]
"""Has no control characters, and none that change the writing direction of the text around a name."""
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+\z")]
"""Printable ASCII without a space. RFC 6749 App. A.1 allows spaces, with which two client ids can look alike."""


def _scope(value: str) -> str:
    return " ".join(parse_scope(value))


def checked_by(check: Callable[[str], str], kind: LiteralString) -> AfterValidator:
    """A validator with errors of type `kind`, whose message is only that of the ValueError that `check` raises."""

    def validate(value: str) -> str:
        try:
            return check(value)
        except ValueError as reason:
            raise PydanticCustomError(kind, "{reason}", {"reason": str(reason)}) from None

    return AfterValidator(validate)


Scope = Annotated[str, AfterValidator(_scope)]
Url = Annotated[str, StringConstraints(max_length=2000), checked_by(check_web_url, "url")]
"""https, or http on loopback; without a fragment; spelled as browsers send it."""
Jwks = Annotated[dict[str, Any], AfterValidator(check_client_jwks)]


def _quote(uri: str) -> str:
    """A refused `uri` for the error message, with the spelling that browsers send."""
    if uri.isascii():
        return repr(uri)
    try:
        return f"{uri!r}, as browsers send it {to_ascii(uri)!r},"
    except ValueError:
        return repr(uri)


class ClientMetadata(BaseModel):
    """The fields of RFC 7591 §2, OIDC Registration §2, RP-Initiated Logout §3.1 and Back-Channel Logout §2.2.

    `require_pkce` is our own. Times are in seconds. A client has a secret, or keys, or is public.
    """

    model_config = ConfigDict(frozen=True)

    client_name: Name | None = None
    client_uri: Url | None = None
    logo_uri: Url | None = None
    policy_uri: Url | None = None
    tos_uri: Url | None = None
    contacts: list[Name] = Field(default=[], max_length=20)
    application_type: Literal["web", "native"] = "web"
    redirect_uris: list[str] = []
    post_logout_redirect_uris: list[Annotated[str, Field(max_length=2000)]] = Field(default=[], max_length=100)
    initiate_login_uri: Url | None = None
    backchannel_logout_uri: Url | None = None
    backchannel_logout_session_required: bool = False
    grant_types: list[GrantType] = ["authorization_code"]
    scope: Scope = ""
    token_endpoint_auth_method: AuthMethod = "client_secret_basic"  # noqa: S105
    token_endpoint_auth_signing_alg: AssertionAlg | None = None
    jwks: Jwks | None = None
    jwks_uri: Url | None = None
    id_token_signed_response_alg: SigningAlg = "ES256"  # noqa: S105
    userinfo_signed_response_alg: SigningAlg | None = None
    default_max_age: Annotated[int, Field(ge=0, le=10**9)] | None = None
    require_auth_time: bool = False
    require_pkce: bool = True

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105

    @property
    def has_secret(self) -> bool:
        return self.token_endpoint_auth_method in SECRET_METHODS

    @property
    def web_origins(self) -> frozenset[str]:
        """The origins from which scripts of a public client may call /token and /revoke."""
        origins = {web_origin(uri) for uri in self.redirect_uris} if self.is_public else set()
        return frozenset(origin for origin in origins if origin is not None)

    @model_validator(mode="after")
    def _check_redirect_uris(self) -> Self:
        for field in ("redirect_uris", "post_logout_redirect_uris"):
            for uri in getattr(self, field):
                try:
                    check_redirect_uri(uri, is_native=self.application_type == "native")
                except ValueError as reason:
                    context = {"field": field, "uri": _quote(uri), "reason": str(reason)}
                    raise PydanticCustomError("redirect_uri", "{field}: {uri} {reason}", context) from None
        return self

    @model_validator(mode="after")
    def _check_grant_types(self) -> Self:
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("the grant authorization_code needs redirect_uris")
        if "refresh_token" in self.grant_types and "authorization_code" not in self.grant_types:
            raise ValueError("the grant refresh_token needs authorization_code, too")
        if self.is_public and "client_credentials" in self.grant_types:
            raise ValueError("a public client cannot use client_credentials, because it has no credentials")
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.jwks is not None and self.jwks_uri is not None:
            raise ValueError("jwks and jwks_uri exclude each other")
        if self.token_endpoint_auth_method == "private_key_jwt" and self.jwks is None and self.jwks_uri is None:  # noqa: S105
            raise ValueError("private_key_jwt needs jwks or jwks_uri")
        return self


def _id_token_claim(value: str) -> str:
    if value not in ID_TOKEN_CLAIMS:
        known = ", ".join(sorted(ID_TOKEN_CLAIMS))
        raise ValueError(f"{value!r} is not a claim that an ID Token can have; there are {known}")
    return value


class OperatorMetadata(ClientMetadata):
    """Adds the fields that only an operator may set. All of these fields are stored for each client."""

    first_party: bool = False
    """Users are not asked for consent."""
    id_token_claims: list[Annotated[str, AfterValidator(_id_token_claim)]] | None = None
    """Claims about the user that its ID Tokens have although no request asked for them by name."""
