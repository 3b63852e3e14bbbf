"""What the endpoints work with, and the words by which they ask for it."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from examples.web_app.errors import Forged, SessionEnded
from examples.web_app.logout_token import LogoutTokens
from examples.web_app.notes_api import NotesAPI
from examples.web_app.pages import Pages
from examples.web_app.provider import Provider
from examples.web_app.sessions import AppSession, AppSessions
from examples.web_app.settings import Settings
from tallystick.clock import Clock


@dataclass(frozen=True)
class Services:
    settings: Settings
    clock: Clock
    provider: Provider
    logout_tokens: LogoutTokens
    notes_api: NotesAPI
    sessions: AppSessions
    pages: Pages

    @property
    def cookie(self) -> str:
        return "__Host-session" if self.settings.is_https else "session"

    def set_cookie(self, response: Response, value: str) -> None:
        response.set_cookie(self.cookie, value, httponly=True, samesite="lax", secure=self.settings.is_https)

    def forget(self, request: Request, response: Response) -> None:
        """End the app session of this browser, if there is one."""
        self.sessions.close(request.cookies.get(self.cookie, ""))
        response.delete_cookie(self.cookie, httponly=True, samesite="lax", secure=self.settings.is_https)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Here = Annotated[Services, Depends(_services)]


def _visitor(request: Request, here: Here) -> AppSession | None:
    return here.sessions.find(request.cookies.get(here.cookie, ""))


Visitor = Annotated[AppSession | None, Depends(_visitor)]


def _signed_in(visitor: Visitor) -> AppSession:
    if visitor is None:
        raise SessionEnded
    return visitor


SignedIn = Annotated[AppSession, Depends(_signed_in)]


async def _own_form(request: Request, here: Here, session: SignedIn) -> FormData:
    """The fields of a form that came from a page we gave to this very session, or Forged."""
    form = await request.form(max_files=0, max_fields=10)
    token = form.get("csrf_token")
    is_ours = request.headers.get("origin", here.settings.base_url) == here.settings.base_url
    if (
        not is_ours
        or not isinstance(token, str)
        or not hmac.compare_digest(token.encode(), session.csrf_token.encode())
    ):
        raise Forged
    return form


OwnForm = Annotated[FormData, Depends(_own_form)]
