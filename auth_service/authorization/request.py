"""The authorization request as it was sent (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1, RFC 8707 §2.1)."""

from dataclasses import dataclass
from functools import cached_property

from auth_service.authorization.claims_request import ClaimsRequest
from auth_service.http.form import Form, parse_form
from tallystick import base64url
from tallystick.errors import InvalidRequest
from tallystick.strict_json import parse_object

MAX_QUERY = 8192
"""Characters. While the user signs in, the query is part of URLs, whose length browsers and proxies limit."""

RESPONSE_MODES = ("query", "form_post")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True)
class AuthorizationRequest:
    """Parsed parameters, not yet checked against the client.

    `query` is the text that was parsed. `max_age` is seconds. `scopes` are those that a code can be issued for, in the
    order of the request, and `resources` are the declared audiences that the request names. Both are empty until
    `check_parameters` fills them.
    """

    query: str
    client_id: str | None
    redirect_uri: str | None
    state: str | None
    form: Form
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    @classmethod
    def parse(cls, query: str) -> "AuthorizationRequest":
        """Raises InvalidRequest for text that is not form-encoded or is too long."""
        if len(query) > MAX_QUERY:
            raise InvalidRequest("the authorization request is too long", reason="request_too_long")
        form = parse_form(query)
        return cls(query, form.get("client_id"), form.get("redirect_uri"), form.get("state"), form)

    @property
    def prompts(self) -> frozenset[str]:
        return frozenset(self.form.get("prompt", "").split())

    @property
    def max_age(self) -> int | None:
        text = self.form.get("max_age")
        return None if text is None else int(text)

    @cached_property
    def claims(self) -> ClaimsRequest:
        """Raises InvalidRequest."""
        text = self.form.get("claims")
        return ClaimsRequest() if text is None else ClaimsRequest.parse(text)

    @property
    def response_mode(self) -> str | None:
        """The requested mode; None if it is unknown (Multiple Response Types §2.1, Form Post Response Mode §2).

        A request object is refused, but the error goes to the client by the mode that the object names.
        """
        requested = self.form.get("response_mode") or _mode_of_request_object(self.form.get("request")) or "query"
        return requested if requested in RESPONSE_MODES else None


def _mode_of_request_object(request_object: str | None) -> str | None:
    """The `response_mode` that a request object names (OIDC Core §6.1).

    Its signature is not verified, because the mode decides only how an error reaches the registered redirect_uri.
    """
    if request_object is None:
        return None
    try:
        mode = parse_object(base64url.decode(request_object.split(".")[1])).get("response_mode")
    except (ValueError, IndexError):
        return None
    return mode if isinstance(mode, str) and mode in RESPONSE_MODES else None
