"""The tables `[[api]]`, `[[client]]` (with the field names of RFC 7591) and `[[user]]` of the configuration file."""

import unicodedata
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from auth_service.client_metadata.metadata import ClientId, Name, OperatorMetadata
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.scope import parse_scope
from tallystick.urls import check_audience, is_loopback
from tallystick_service.urls import check_origin, require_ascii

MAX_EMAIL_CHARACTERS = 254
"""RFC 5321 §4.5.3.1.3. The time of a Unicode normalization can grow with the square of the length, so longer text is
refused before it."""

AddressPart = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f]+\z")
]
"""An address may have line breaks (OIDC Core §5.1.1)."""


def _allowed_origin(value: str) -> str:
    url = urlsplit(check_origin(value))
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ValueError(f"{value!r} must be https: plain http is for loopback only")
    return value


def _email(value: str) -> str:
    if value.count("@") != 1 or value != value.strip() or any(ord(character) < 0x21 for character in value):
        raise ValueError("is not an email address")
    normalized = unicodedata.normalize("NFC", value)
    if len(normalized) > MAX_EMAIL_CHARACTERS:  # NFC can make one character three
        raise ValueError("is not an email address")
    return normalized


Email = Annotated[str, StringConstraints(min_length=3, max_length=MAX_EMAIL_CHARACTERS), AfterValidator(_email)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredApi(_Declared):
    """An audience and its scopes. A scope belongs to one API."""

    audience: Annotated[str, AfterValidator(require_ascii), AfterValidator(check_audience)]
    name: Name
    scopes: dict[str, str]
    introspection_clients: list[ClientId] = []

    @model_validator(mode="after")
    def _check_scopes(self) -> Self:
        for scope in self.scopes:
            if parse_scope(scope) != (scope,):
                raise ValueError(f"{scope!r} is not one scope")
            if scope in OIDC_SCOPES:
                raise ValueError(f"the scope {scope!r} is OpenID Connect's own")
        return self


class DeclaredClient(OperatorMetadata):
    """`allowed_origins`: origins whose scripts may call /token and /revoke, besides those of a public client's
    redirect_uris. Examples are "capacitor://localhost", and the second domain of an app with one callback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    client_secret: str | None = Field(default=None, repr=False)
    allowed_origins: frozenset[Annotated[str, AfterValidator(_allowed_origin)]] = frozenset()

    @property
    def web_origins(self) -> frozenset[str]:
        return super().web_origins | self.allowed_origins

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.has_secret != (self.client_secret is not None):
            raise ValueError("needs a client_secret exactly when token_endpoint_auth_method is one of client_secret_…")
        return self

    @model_validator(mode="after")
    def _check_pkce(self) -> Self:
        if self.is_public and not self.require_pkce:
            raise ValueError("require_pkce may be false only for a confidential client")
        return self


class UserProfile(_Declared):
    """The facts about a user. Most fields are standard claims (OIDC Core §5.1)."""

    email: Email
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

    @property
    def claims(self) -> dict[str, Any]:
        """The standard claims that are set, except email, which has a column of its own."""
        return self.model_dump(include=STANDARD_CLAIMS, exclude_none=True)


STANDARD_CLAIMS = UserProfile.model_fields.keys() - {"email", "roles"}


class DeclaredUser(UserProfile):
    """A user. `password` has an effect at creation only."""

    password: str | None = Field(default=None, repr=False)
    password_hash: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _check_password(self) -> Self:
        if (self.password is None) == (self.password_hash is None):
            raise ValueError("needs either password or password_hash")
        return self
