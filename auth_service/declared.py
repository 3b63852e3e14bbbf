"""APIs, clients and users as the configuration file declares them, with RFC 7591 field names."""

import unicodedata
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from auth_service.uris import check_redirect_uri
from tallystick.scope import parse_scope

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\z")]
AddressPart = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f]+\z")
]
"""Lines of an address may be parted by line breaks (OIDC Core §5.1.1)."""
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+\z")]
"""Printable ASCII without a space. RFC 6749 App. A.1 would let a space through, and two clients look alike."""


def _absolute_uri(value: str) -> str:
    url = urlsplit(value)
    if not url.scheme or not url.netloc or "#" in value:
        raise ValueError("must be an absolute URI without a fragment (RFC 8707 §2)")
    return value


def _scope(value: str) -> str:
    return " ".join(parse_scope(value))


def _email(value: str) -> str:
    if value.count("@") != 1 or value != value.strip() or any(ord(character) < 0x21 for character in value):
        raise ValueError("is not an email address")
    return unicodedata.normalize("NFC", value)


Scope = Annotated[str, AfterValidator(_scope)]
Email = Annotated[str, StringConstraints(min_length=3, max_length=254), AfterValidator(_email)]
GrantType = Literal["authorization_code", "refresh_token", "client_credentials"]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredApi(_Declared):
    """An audience and the scopes it understands; a scope belongs to one API."""

    audience: Annotated[str, AfterValidator(_absolute_uri)]
    name: Name
    scopes: dict[str, str]
    introspection_clients: list[ClientId] = []

    @model_validator(mode="after")
    def _scopes_are_words(self) -> Self:
        for scope in self.scopes:
            if parse_scope(scope) != (scope,):
                raise ValueError(f"{scope!r} is not one scope")
            if scope in ("openid", "profile", "email", "address", "phone", "offline_access"):
                raise ValueError(f"the scope {scope!r} is OpenID Connect's own")
        return self


class DeclaredClient(_Declared):
    """RFC 7591 §2, and the few fields that are ours: require_pkce, first_party."""

    client_id: ClientId
    client_name: Name | None = None
    client_secret: str | None = Field(default=None, repr=False)
    redirect_uris: list[str] = []
    post_logout_redirect_uris: list[str] = []
    backchannel_logout_uri: str | None = None
    grant_types: list[GrantType] = ["authorization_code"]
    token_endpoint_auth_method: Literal["none", "client_secret_basic", "client_secret_post"] = "client_secret_basic"  # noqa: S105
    application_type: Literal["web", "native"] = "web"
    scope: Scope = ""
    require_pkce: bool = True
    first_party: bool = False

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for field in ("redirect_uris", "post_logout_redirect_uris"):
            for uri in getattr(self, field):
                try:
                    check_redirect_uri(uri, is_native=self.application_type == "native", is_public=self.is_public)
                except ValueError as reason:
                    raise ValueError(f"{field}: {uri!r} {reason}") from None
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("the grant authorization_code needs redirect_uris")
        if "refresh_token" in self.grant_types and "authorization_code" not in self.grant_types:
            raise ValueError("the grant refresh_token needs authorization_code beside it")
        if self.is_public and "client_credentials" in self.grant_types:
            raise ValueError("a public client has no credentials to grant anything by")
        if self.is_public != (self.client_secret is None):
            raise ValueError("needs a client_secret exactly when token_endpoint_auth_method is not none")
        if self.is_public and not self.require_pkce:
            raise ValueError("require_pkce may be false only for a confidential client")
        return self


class DeclaredUser(_Declared):
    """A first user. `password` acts at creation only; the rest are standard claims (OIDC Core §5.1) and roles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Email
    password: str | None = Field(default=None, repr=False)
    password_hash: str | None = Field(default=None, repr=False)
    roles: list[Name] = []
    email_verified: bool | None = None
    name: Name | None = None
    given_name: Name | None = None
    family_name: Name | None = None
    middle_name: Name | None = None
    nickname: Name | None = None
    preferred_username: Name | None = None
    profile: Name | None = None
    picture: Name | None = None
    website: Name | None = None
    gender: Name | None = None
    birthdate: Annotated[str, StringConstraints(pattern=r"^(\d{4}|\d{4}-\d{2}-\d{2})$")] | None = None
    zoneinfo: Name | None = None
    locale: Name | None = None
    phone_number: Name | None = None
    phone_number_verified: bool | None = None
    address: (
        dict[Literal["formatted", "street_address", "locality", "region", "postal_code", "country"], AddressPart] | None
    ) = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password is None) == (self.password_hash is None):
            raise ValueError("needs either password or password_hash")
        return self

    @property
    def claims(self) -> dict[str, Any]:
        """The standard claims that were given, without email, which is a column of its own."""
        return self.model_dump(exclude={"email", "password", "password_hash", "roles"}, exclude_none=True)
