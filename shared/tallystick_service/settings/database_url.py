"""The type of the setting `database_url`, which may point to a file, because the URL may hold a password."""

from typing import Annotated

from pydantic import AfterValidator, Field

from tallystick_service.settings.secrets import resolve_secret
from tallystick_service.store import check_url


def _resolved(value: str) -> str:
    url = resolve_secret(value)
    check_url(url)
    return url


DatabaseUrl = Annotated[str, AfterValidator(_resolved)]
"""`sqlite:///path` or any libpq URL; or `env:NAME` or `file:PATH`, which hold one and are replaced by it.

Validation raises Misconfigured when the variable or file is missing or empty.
"""

DatabaseTimeout = Annotated[float, Field(ge=0.5, le=60)]
"""Seconds that a request waits for the database before it is answered 503."""
