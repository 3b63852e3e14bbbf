"""The parts of the app, and the dependencies that pass them to endpoints."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from examples.web_app.access_tokens import AccessTokens
from examples.web_app.errors import CrossSiteForm, SessionEnded
from examples.web_app.logout_token import LogoutTokens
from examples.web_app.notes_api import NotesAPI
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.pages import Pages
from examples.web_app.session_store import SessionStore
from examples.web_app.sessions import AppSession
from examples.web_app.settings import Settings
from tallystick.clock import Clock


@dataclass(frozen=True)
class Services:
    settings: Settings
    clock: Clock
    provider: OpenIDProvider
    logout_tokens: LogoutTokens
    notes_api: NotesAPI
    sessions: SessionStore
    pages: Pages

    @property
    def session_cookie(self) -> str:
        """The name of the cookie."""
        return "__Host-session" if self.settings.is_https else "session"

    async def open_session(self, session: AppSession, response: Response) -> None:
        """Store a new session, and send its cookie to the browser."""
        value = await self.sessions.open(session)
        response.set_cookie(self.session_cookie, value, httponly=True, samesite="lax", secure=self.settings.is_https)

    async def close_session(self, request: Request, response: Response) -> None:
        """End the app session of this browser, if there is one, and delete its cookie."""
        await self.sessions.close(request.cookies.get(self.session_cookie, ""))
        response.delete_cookie(self.session_cookie, httponly=True, samesite="lax", secure=self.settings.is_https)

    def access_tokens(self, session: AppSession) -> AccessTokens:
        return AccessTokens(session, self.sessions, self.provider, self.clock)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


AppServices = Annotated[Services, Depends(_services)]


async def _optional_session(request: Request, services: AppServices) -> AppSession | None:
    cookie = request.cookies.get(services.session_cookie)
    return await services.sessions.find(cookie) if cookie else None


OptionalSession = Annotated[AppSession | None, Depends(_optional_session)]
"""The session of the browser, or None."""


def _current_session(session: OptionalSession) -> AppSession:
    if session is None:
        raise SessionEnded
    return session


CurrentSession = Annotated[AppSession, Depends(_current_session)]
"""The session of the browser. Raises SessionEnded when it has none."""


async def _checked_form(request: Request, services: AppServices, session: CurrentSession) -> FormData:
    form = await request.form(max_files=0, max_fields=10)
    token = form.get("csrf_token")
    is_same_origin = request.headers.get("origin", services.settings.base_url) == services.settings.base_url
    if (
        not is_same_origin
        or not isinstance(token, str)
        or not hmac.compare_digest(token.encode(), session.csrf_token.encode())
    ):
        raise CrossSiteForm
    return form


CheckedForm = Annotated[FormData, Depends(_checked_form)]
"""The fields of a form from a page of this app and this session. Raises CrossSiteForm for any other form."""
