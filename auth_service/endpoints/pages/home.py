"""/, the home page of the service, and the stylesheet of all pages."""

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.dependencies import IssuerUrl, LoginSessionsDep
from auth_service.http.route_traits import PAGE
from auth_service.pages import STYLESHEET, page

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=Response)
@PAGE
async def home(request: Request, login_sessions: LoginSessionsDep, issuer: IssuerUrl) -> Response:
    login_session = await login_sessions.find(login_sessions.cookie.read(request))
    if login_session is None:
        return page("index", issuer=issuer)
    name = login_session.claims.get("name") or login_session.email
    return page("signed_in", user_name=name, user_email=login_session.email)


@router.get("/static/tallystick.css", response_class=Response)
async def stylesheet() -> Response:
    return Response(STYLESHEET, headers={"Cache-Control": "public, max-age=300"}, media_type="text/css")
