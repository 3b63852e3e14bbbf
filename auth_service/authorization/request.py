"""The authorization request as it was sent (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1, RFC 8707 §2.1)."""

from dataclasses import dataclass
from functools import cached_property

from auth_service.authorization.claims_request import ClaimsRequest
from auth_service.http.form import Form, parse_form
from tallystick import base64url
from tallystick.errors import InvalidRequest
from tallystick.strict_json import parse_object

MAX_QUERY = 8192
"""Characters. The query travels in URLs of ours while the user signs in, and a URL has its limits, too."""

RESPONSE_MODES = ("query", "form_post")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True)
class AuthorizationRequest:
    """Well-formed parameters. Whether this client may ask for them is judged elsewhere.

    `query` is the text it came as. `max_age` is seconds. `scopes` are what a code can be issued for, in the order of
    the request, and `resources` the named audiences as they are declared: both are empty until `check_parameters` has
    returned the request with them.
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
        """The one asked for, if we know it (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2).

        A request object is refused, but the refusal goes back by the mode that it names.
        """
        asked = self.form.get("response_mode") or _mode_inside(self.form.get("request")) or "query"
        return asked if asked in RESPONSE_MODES else None


def _mode_inside(request_object: str | None) -> str | None:
    """The `response_mode` that a request object names, without regard to its signature (OIDC Core §6.1).

    Unverified, it decides only how a refusal reaches the registered redirect_uri.
    """
    if request_object is None:
        return None
    try:
        mode = parse_object(base64url.decode(request_object.split(".")[1])).get("response_mode")
    except (ValueError, IndexError):
        return None
    return mode if isinstance(mode, str) and mode in RESPONSE_MODES else None
