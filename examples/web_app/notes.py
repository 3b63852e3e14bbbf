"""The first page, with the user's notes, and the forms that add and delete a note."""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.dependencies import AppServices, CheckedForm, CurrentSession, OptionalSession, Services
from examples.web_app.errors import RequestRefused, ServiceUnavailable, SessionEnded
from examples.web_app.sign_in import pop_message
from examples.web_app.silent_sign_in import start_silent_sign_in

router = APIRouter()

PER_PAGE = 20


@router.get("/")
async def first_page(
    request: Request, services: AppServices, session: OptionalSession, cursor: str | None = None
) -> Response:
    """Show the notes. A browser without a session is sent to the issuer for a silent sign-in, or sees a button."""
    message = pop_message(request)
    if session is None:
        return await _signed_out_page(request, services, message)
    page, status = None, 200
    try:
        access_tokens = services.access_tokens(session)
        page = await services.notes_api.list(access_tokens, cursor=cursor, limit=PER_PAGE)
    except (ServiceUnavailable, RequestRefused) as error:  # the page without notes still has the sign-out buttons
        message, status = error.message, error.status
    return services.pages.render(
        "notes.html", status=status, message=message, session=session, page=page, is_first=cursor is None
    )


async def _signed_out_page(request: Request, services: Services, message: str | None) -> Response:
    session_has_ended = services.session_cookie in request.cookies
    # After a session has ended, a page and no redirect: a browser that keeps the cookie would be redirected again.
    if not (message or session_has_ended) and (redirect := await start_silent_sign_in(request, services)):
        return redirect
    if session_has_ended and not message:
        message = SessionEnded().message
    response = services.pages.render("signed_out.html", message=message)
    if session_has_ended:
        await services.close_session(request, response)
    return response


@router.post("/notes")
async def add_note(services: AppServices, session: CurrentSession, form: CheckedForm) -> Response:
    access_tokens = services.access_tokens(session)
    await services.notes_api.add(access_tokens, title=_text(form, "title"), body=_text(form, "body"))
    return RedirectResponse("/", status_code=303)


@router.post("/notes/{note_id}/delete")
async def delete_note(note_id: str, services: AppServices, session: CurrentSession, _: CheckedForm) -> Response:
    await services.notes_api.delete(services.access_tokens(session), note_id)
    return RedirectResponse("/", status_code=303)


def _text(form: FormData, name: str) -> str:
    """Return a field with the line breaks that browsers send (CRLF) as line feeds."""
    return str(form.get(name, "")).replace("\r\n", "\n").strip()
