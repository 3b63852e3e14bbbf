"""The settings of the notes API, from `resource.toml` and the environment."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tallystick.fastapi import STATUS_MAX_AGE, StatusPolicyName
from tallystick.remote.internal_url import internal_address
from tallystick.urls import check_audience, check_identifier, check_url
from tallystick_service.settings.database_url import DatabaseTimeout, DatabaseUrl
from tallystick_service.store import DEADLINE
from tallystick_service.urls import check_origin, require_ascii

Identifier = Annotated[str, AfterValidator(require_ascii), AfterValidator(check_identifier)]
Audience = Annotated[str, AfterValidator(require_ascii), AfterValidator(check_audience)]
Url = Annotated[str, AfterValidator(require_ascii), AfterValidator(check_url)]
Origin = Annotated[str, AfterValidator(check_origin)]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Audience
    """The URL of this API, byte for byte as in the tokens."""
    issuer: Identifier
    internal_url: str | None = None
    """The origin under which the issuer is reached inside the network. `issuer` stays the public URL."""
    allow_insecure_internal_url: bool = False
    """Accept plain http for `internal_url`."""
    jwks_uri: Url | None = None
    """Found through the issuer's metadata by default."""
    jwks_file: Path | None = None
    """The file with the last known keys, for a start while the issuer is unavailable."""
    status_policy: StatusPolicyName = "serve_until_exp"
    """Whether tokens are accepted while their status is unknown."""
    status_max_age: Annotated[int, Field(ge=1)] = STATUS_MAX_AGE
    """Seconds since a status list was signed, after which `fail_closed` answers 503."""
    status_file: Path | None = None
    """The file with the last known status lists, for a restart while the issuer is unavailable."""
    database_url: DatabaseUrl = "sqlite:///var/notes.db"
    database_timeout: DatabaseTimeout = DEADLINE
    allowed_origins: tuple[Origin, ...] = ()
    """The origins of the browser apps that may call this API."""
    docs_client_id: str | None = None
    """The public client of the docs page. Without it, the page cannot sign in."""

    @model_validator(mode="after")
    def _check_internal_url(self) -> Self:
        if self.internal_url is not None:
            internal_address(self.issuer, self.internal_url, allow_insecure=self.allow_insecure_internal_url)
        return self
