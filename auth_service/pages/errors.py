"""Errors that only the service's own pages raise. They are always shown on a page, never sent to a client.

PageError                400
├── FormExpired          400
├── LoginEnded           400
├── CrossOriginForm      403
└── ClientChanged        403
"""

from tallystick.errors import OAuthError
from tallystick.refusal_reasons import Reason


class PageError(OAuthError):
    """`restart_url` is where the user can start again; the error page has a link to it.

    `unvetted_host` is the host of `restart_url` if the URL belongs to a self-registered client. The page then shows it.
    """

    error = "invalid_request"

    def __init__(
        self, *, restart_url: str | None = None, unvetted_host: str | None = None, reason: Reason | None = None
    ) -> None:
        super().__init__(reason=reason)
        self.restart_url = restart_url
        self.unvetted_host = unvetted_host


class FormExpired(PageError):
    """`query` is the request that the form carried. It can be started again."""

    reason: Reason = "form_expired"

    def __init__(self, query: str, *, restart_url: str, unvetted_host: str | None = None) -> None:
        super().__init__(restart_url=restart_url, unvetted_host=unvetted_host)
        self.query = query


class LoginEnded(PageError):
    error = "login_required"
    reason: Reason = "login_session_ended"


class CrossOriginForm(PageError):
    error = "access_denied"
    status = 403
    reason: Reason = "cross_origin_form"


class ClientChanged(PageError):
    error = "access_denied"
    status = 403
    reason: Reason = "client_changed"
