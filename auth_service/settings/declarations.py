"""APIs, clients and users as the configuration file declares them, with RFC 7591 field names."""

import unicodedata
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from auth_service.client_metadata.metadata import ClientId, ClientMetadata, Name
from auth_service.vocabulary.scopes import ID_TOKEN_CLAIMS, OIDC_SCOPES
from tallystick.scope import parse_scope
from tallystick.urls import check_audience, is_loopback
from tallystick_service.urls import check_origin, require_ascii

MAX_EMAIL_CHARACTERS = 254
"""RFC 5321 §4.5.3.1.3. Unicode normalisation can take time that grows with the square of the length, so nothing longer
reaches it."""

AddressPart = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f]+\z")
]
"""Lines of an address may be parted by line breaks (OIDC Core §5.1.1)."""


def _allowed_origin(value: str) -> str:
    url = urlsplit(check_origin(value))
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ValueError(f"{value!r} must be https: plain http is for loopback only")
    return value


def _email(value: str) -> str:
    if value.count("@") != 1 or value != value.strip() or any(ord(character) < 0x21 for character in value):
        raise ValueError("is not an email address")
    normalized = unicodedata.normalize("NFC", value)
    if len(normalized) > MAX_EMAIL_CHARACTERS:  # some characters become three
        raise ValueError("is not an email address")
    return normalized


Email = Annotated[str, StringConstraints(min_length=3, max_length=MAX_EMAIL_CHARACTERS), AfterValidator(_email)]


def _id_token_claim(value: str) -> str:
    if value not in ID_TOKEN_CLAIMS:
        raise ValueError(f"{value!r} is not a claim that can be told: one of {', '.join(sorted(ID_TOKEN_CLAIMS))}")
    return value


IDTokenClaim = Annotated[str, AfterValidator(_id_token_claim)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredApi(_Declared):
    """An audience and the scopes it understands; a scope belongs to one API."""

    audience: Annotated[str, AfterValidator(require_ascii), AfterValidator(check_audience)]
    name: Name
    scopes: dict[str, str]
    introspection_clients: list[ClientId] = []

    @model_validator(mode="after")
    def _scopes_are_words(self) -> Self:
        for scope in self.scopes:
            if parse_scope(scope) != (scope,):
                raise ValueError(f"{scope!r} is not one scope")
            if scope in OIDC_SCOPES:
                raise ValueError(f"the scope {scope!r} is OpenID Connect's own")
        return self


class DeclaredClient(ClientMetadata):
    """A client as the file declares it; first_party, allowed_origins and id_token_claims are ours.

    `allowed_origins`: from where, besides the origins of a public client's redirect_uris, its pages call /token and
    /revoke with a script. "capacitor://localhost" is one, and so is the second domain of an app with one callback.
    `id_token_claims`: claims about the user that its ID Tokens hold without being asked for by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    client_secret: str | None = Field(default=None, repr=False)
    first_party: bool = False
    allowed_origins: frozenset[Annotated[str, AfterValidator(_allowed_origin)]] = frozenset()
    id_token_claims: list[IDTokenClaim] | None = None

    @property
    def web_origins(self) -> frozenset[str]:
        return super().web_origins | self.allowed_origins

    @model_validator(mode="after")
    def _secret_as_the_method_wants(self) -> Self:
        if self.has_secret != (self.client_secret is not None):
            raise ValueError("needs a client_secret exactly when token_endpoint_auth_method is one of client_secret_…")
        return self

    @model_validator(mode="after")
    def _a_public_client_has_nothing_but_pkce(self) -> Self:
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
