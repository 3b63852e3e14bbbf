"""What the notes API is told before it starts: `resource.toml` and the environment, frozen and checked."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tallystick.fastapi import STATUS_MAX_AGE, StatusPolicyName
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
    """The URL of this API, byte for byte as the tokens name it."""
    issuer: Identifier
    jwks_uri: Url | None = None
    """Found through the issuer's metadata when left out."""
    jwks_file: Path | None = None
    """The last known keys, for a start while the issuer is away."""
    status_policy: StatusPolicyName = "serve_until_exp"
    """What becomes of tokens while nobody can tell whether they were revoked."""
    status_max_age: Annotated[int, Field(ge=1)] = STATUS_MAX_AGE
    """Seconds since a status list was signed, after which `fail_closed` answers 503."""
    status_file: Path | None = None
    """The last known status lists, so that a restart while the issuer is away forgets no revocation."""
    database_url: DatabaseUrl = "sqlite:///var/notes.db"
    database_timeout: DatabaseTimeout = DEADLINE
    allowed_origins: tuple[Origin, ...] = ()
    """Of the browser apps that may call this API."""
    docs_client_id: str | None = None
    """The public client as which the docs page signs people in. Without it, the page shows but cannot call."""
