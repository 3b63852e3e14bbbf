"""The errors that the RFCs define. They are raised anywhere and rendered in one place.

OAuthError                         400
├── InvalidRequest                 400  RFC 6749 §4.1.2.1, §5.2
├── InvalidClient                  401  RFC 6749 §5.2
├── InvalidGrant                   400  RFC 6749 §5.2
├── UnauthorizedClient             400  RFC 6749 §4.1.2.1, §5.2
├── UnsupportedGrantType           400  RFC 6749 §5.2
├── UnsupportedResponseType        400  RFC 6749 §4.1.2.1
├── UnsupportedTokenType           400  RFC 7009 §2.2.1
├── InvalidScope                   400  RFC 6749 §4.1.2.1, §5.2
├── InvalidTarget                  400  RFC 8707 §2
├── InvalidRedirectURI             400  RFC 7591 §3.2.2
├── InvalidClientMetadata          400  RFC 7591 §3.2.2
├── AccessDenied                   400  RFC 6749 §4.1.2.1
├── LoginRequired                  400  OIDC Core §3.1.2.6
├── ConsentRequired                400  OIDC Core §3.1.2.6
├── UnmetAuthenticationRequirements 400 OIDC Core Unmet Authentication Requirements 1.0
├── RequestNotSupported            400  OIDC Core §3.1.2.6
├── RequestURINotSupported         400  OIDC Core §3.1.2.6
├── RegistrationNotSupported       400  OIDC Core §3.1.2.6
├── TemporarilyUnavailable         503  RFC 6749 §4.1.2.1
│   └── TooManyRequests            429  RFC 6585 §4
└── BearerError                         RFC 6750 §3.1
    ├── MissingToken               401  no error code, because no token was sent
    ├── InvalidToken               401
    ├── InsufficientUserAuthentication  401  RFC 9470 §3
    ├── InvalidBearerRequest       400
    └── InsufficientScope          403
"""

from typing import ClassVar, Self
from urllib.parse import quote

from tallystick.refusal_reasons import Reason


class OAuthError(Exception):
    """An error of an OAuth RFC.

    `description` is for the developer who reads a response body. It must keep to the characters of RFC 6749 §5.2 (no
    double quote, backslash or anything outside printable ASCII). It may repeat a value that the caller sent only
    through `quoted`.

    `reason` is the exact cause for the log and for the folded part of the error page. The caller of an API endpoint
    never gets it, because a difference such as "unknown client" or "wrong secret" would help an attacker. A class
    attribute gives the default of a class; the keyword gives it for one refusal.
    """

    error: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400
    reason: Reason = "unspecified"

    def __init__(self, description: str = "", *, reason: Reason | None = None) -> None:
        super().__init__(description or self.error)
        self.description = description
        if reason is not None:
            self.reason = reason


class InvalidRequest(OAuthError):
    error = "invalid_request"


class InvalidClient(OAuthError):
    error = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    error = "invalid_grant"


class UnauthorizedClient(OAuthError):
    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    error = "unsupported_grant_type"
    reason: Reason = "grant_unsupported"


class UnsupportedResponseType(OAuthError):
    error = "unsupported_response_type"
    reason: Reason = "response_type_unsupported"


class UnsupportedTokenType(OAuthError):
    error = "unsupported_token_type"


class InvalidScope(OAuthError):
    error = "invalid_scope"


class InvalidTarget(OAuthError):
    error = "invalid_target"


class InvalidRedirectURI(OAuthError):
    error = "invalid_redirect_uri"
    reason: Reason = "registration_redirect_uri"


class InvalidClientMetadata(OAuthError):
    error = "invalid_client_metadata"
    reason: Reason = "client_metadata_invalid"


class AccessDenied(OAuthError):
    error = "access_denied"
    reason: Reason = "access_denied"


class LoginRequired(OAuthError):
    error = "login_required"
    reason: Reason = "login_required"


class ConsentRequired(OAuthError):
    error = "consent_required"
    reason: Reason = "consent_required"


class UnmetAuthenticationRequirements(OAuthError):
    error = "unmet_authentication_requirements"
    reason: Reason = "acr_unavailable"


class RequestNotSupported(OAuthError):
    error = "request_not_supported"
    reason: Reason = "request_object_unsupported"


class RequestURINotSupported(OAuthError):
    error = "request_uri_not_supported"
    reason: Reason = "request_object_unsupported"


class RegistrationNotSupported(OAuthError):
    error = "registration_not_supported"
    reason: Reason = "parameter_unsupported"


class TemporarilyUnavailable(OAuthError):
    """A dependency is unavailable or overloaded. `retry_after` is whole seconds, for the Retry-After header."""

    error = "temporarily_unavailable"
    status = 503
    reason: Reason = "unavailable"

    def __init__(self, description: str = "", *, retry_after: int = 1, reason: Reason | None = None) -> None:
        super().__init__(description, reason=reason)
        self.retry_after = retry_after

    @property
    def with_cause(self) -> str:
        """The description and its cause in one line, for the log of the service only."""
        cause = str(self.__cause__ or "").partition("\n")[0].strip()
        return f"{self.description}: {cause}" if cause else self.description


class TooManyRequests(TemporarilyUnavailable):
    """The caller is over its rate limit; `retry_after` says after how many seconds the next request is accepted."""

    status = 429
    reason: Reason = "too_many_requests"


class BearerError(OAuthError):
    """An error of a protected resource, for the WWW-Authenticate header."""


class MissingToken(BearerError):
    error = ""
    status = 401
    reason: Reason = "no_token"


class InvalidToken(BearerError):
    """The default description is the same for every `reason`, so that the response does not tell them apart."""

    error = "invalid_token"
    status = 401
    reason: Reason = "malformed"

    def __init__(
        self,
        description: str = "the token is malformed, expired, or not issued for this use",
        *,
        reason: Reason | None = None,
    ) -> None:
        super().__init__(description, reason=reason)

    @classmethod
    def because(cls, reason: Reason, cause: str) -> Self:
        """An error whose `__cause__` has the text `cause`, for the log."""
        error = cls(reason=reason)
        error.__cause__ = ValueError(cause)
        return error


class InsufficientUserAuthentication(BearerError):
    """The token is valid, but its login is too old or not strong enough (RFC 9470 §3).

    `max_age` (seconds) and `acr_values` (space-separated) are the parameters for a new authorization request.
    """

    error = "insufficient_user_authentication"
    status = 401
    reason: Reason = "insufficient_user_authentication"

    def __init__(self, description: str = "", *, max_age: int | None = None, acr_values: str = "") -> None:
        super().__init__(description)
        self.max_age = max_age
        self.acr_values = acr_values


class InvalidBearerRequest(BearerError):
    error = "invalid_request"
    reason: Reason = "token_sent_twice"


class InsufficientScope(BearerError):
    """`scope` has the required scopes, space-separated, for the challenge."""

    error = "insufficient_scope"
    status = 403
    reason: Reason = "insufficient_scope"

    def __init__(self, description: str = "", *, scope: str = "") -> None:
        super().__init__(description)
        self.scope = scope


def quoted(value: str, *, limit: int = 100) -> str:
    """Return a URI or name from a request in single quotes, for a `description`.

    Characters that RFC 6749 §5.2 forbids are percent-encoded. What follows "?" or "#" and what precedes "@" in the
    authority is left out, because it may be secret. At most `limit` characters are shown.
    """
    shown = value[: 2 * limit].partition("#")[0].partition("?")[0]
    scheme, separator, rest = shown.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        shown = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    text = quote(shown, safe=" !$&()*+,/:;=@[]~%", errors="replace")
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}...'"
