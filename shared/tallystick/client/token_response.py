"""Parse a response of the token endpoint (RFC 6749 §5). Its sender may be slow, wrong, or not the token endpoint."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from tallystick.client.errors import TokenRequestRefused, TokenUnavailable
from tallystick.strict_json import parse_object

MAX_RESPONSE_BYTES = 64 * 1024
MAX_LIFETIME = 24 * 3600
"""Seconds. A longer `expires_in` counts as this, so that a token is renewed at least once a day."""
UNSTATED_LIFETIME = 60
"""Seconds that a token without `expires_in` is used for (RFC 6749 §5.1 allows to leave it out)."""
MAX_RETRY_AFTER = 300
"""Seconds. A longer Retry-After counts as this, so that a mistake of the server does not stop the program for hours."""

_MAX_TOKEN_LENGTH = 16 * 1024
_MAX_SHOWN = 200
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1
_NOT_PRINTABLE = re.compile(r'[^\x20-\x7e]|["\\]')  # the characters that RFC 6749 §5.2 forbids


@dataclass(frozen=True)
class IssuedToken:
    """`lifetime` is in seconds."""

    value: str = field(repr=False)
    lifetime: float


def parse_token_response(
    status: int, body: bytes, *, retry_after: str | None = None, confidential: Iterable[str] = ()
) -> IssuedToken:
    """The access token of a response. `retry_after` is its header. Texts in `confidential` are not repeated.

    Raises TokenRequestRefused for an OAuth error, TokenUnavailable for everything else.
    """
    if status == 200:
        return _parse_token(body)
    if status in (429, 503):
        raise TokenUnavailable(f"the token endpoint answered {status}", seconds_of(retry_after))
    error, description = _parse_error(body)
    if 400 <= status < 500 and error:
        raise TokenRequestRefused(_shown(error, confidential), _shown(description, confidential), status)
    raise TokenUnavailable(f"the token endpoint answered {status}")


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header (RFC 9110 §10.2.3), at most MAX_RETRY_AFTER. None if it is malformed."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]+", text):
        return float(min(int(text[:10]), MAX_RETRY_AFTER))
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _parse_token(body: bytes) -> IssuedToken:
    try:
        response = parse_object(body)
    except ValueError:
        raise TokenUnavailable("the token endpoint answered 200, but not with a JSON object") from None
    token, token_type = response.get("access_token"), response.get("token_type")
    if not (isinstance(token_type, str) and token_type.lower() == "bearer"):
        raise TokenUnavailable("the token endpoint answered with a token_type other than Bearer")
    if not (isinstance(token, str) and len(token) <= _MAX_TOKEN_LENGTH and _BEARER_TOKEN.fullmatch(token)):
        raise TokenUnavailable("the token endpoint answered without a usable access_token")
    lifetime = response.get("expires_in", UNSTATED_LIFETIME)
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or lifetime <= 0:
        raise TokenUnavailable("the token endpoint answered with an expires_in that is not a positive number")
    return IssuedToken(token, min(lifetime, MAX_LIFETIME))


def _parse_error(body: bytes) -> tuple[str, str]:
    """`error` and `error_description`, empty unless they are text."""
    try:
        response = parse_object(body)
    except ValueError:
        return "", ""
    error, description = response.get("error"), response.get("error_description")
    return (error if isinstance(error, str) else ""), (description if isinstance(description, str) else "")


def _shown(text: str, confidential: Iterable[str]) -> str:
    """At most 200 printable characters, for exceptions and logs."""
    for secret in confidential:
        text = text.replace(secret, "***")
    return _NOT_PRINTABLE.sub("?", text[:_MAX_SHOWN])
