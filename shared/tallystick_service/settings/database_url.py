"""Where a service keeps its data, in a type of its own: the URL holds a password, which may have to stand in a file."""

from typing import Annotated

from pydantic import AfterValidator, Field

from tallystick_service.settings.secrets import resolve_secret
from tallystick_service.store import check_url


def _resolved(value: str) -> str:
    url = resolve_secret(value)
    check_url(url)
    return url


DatabaseUrl = Annotated[str, AfterValidator(_resolved)]
"""`sqlite:///path`, any libpq URL, or `env:NAME` or `file:PATH`, where one of these is kept; parsed to the URL itself.

Raises Misconfigured when there is nothing at that place.
"""

DatabaseTimeout = Annotated[float, Field(ge=0.5, le=60)]
"""Seconds that a request waits for it before it is answered 503."""
