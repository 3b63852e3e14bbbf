"""An authorization request between its arrival and its answer."""

from dataclasses import dataclass
from typing import Literal

from auth_service.authorization.request import AuthorizationRequest
from auth_service.http.signed_state import SignedState
from auth_service.store.clients.clients import Client
from auth_service.store.users.login_sessions import LoginSession


@dataclass(frozen=True)
class PendingAuthorization:
    """A request that waits for its user. `started` and `session_fingerprint` are as in SignedState."""

    request: AuthorizationRequest
    started: int
    session_fingerprint: str = ""

    @property
    def state(self) -> SignedState:
        """The state that a page carries, to resume this request later."""
        return SignedState(self.request.query, self.started, self.session_fingerprint)


@dataclass(frozen=True)
class CheckedAuthorization:
    """A pending request whose client and parameters have been checked: `request` has its scopes and resources."""

    pending: PendingAuthorization
    client: Client
    request: AuthorizationRequest


@dataclass(frozen=True)
class BrowserState:
    """The browser at this moment.

    `login_session` is that of its cookie, and `session_fingerprint` the fingerprint of this cookie, or "".
    `completed_page` names the page that the user has just completed for this request: signed in by the login page,
    or allowed everything on the consent page.
    """

    login_session: LoginSession | None
    session_fingerprint: str
    completed_page: Literal["login", "consent"] | None = None
