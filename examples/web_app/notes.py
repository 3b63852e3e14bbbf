"""The one page of the app: who you are, your notes, and a form for the next."""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.access import access_for
from examples.web_app.errors import Refused, SessionEnded, Unreachable
from examples.web_app.services import Here, OwnForm, SignedIn, Visitor
from examples.web_app.sign_in import take_note
from examples.web_app.silent_sign_in import try_silently

router = APIRouter()

PER_PAGE = 20


@router.get("/")
async def first_page(request: Request, here: Here, visitor: Visitor, cursor: str | None = None) -> Response:
    """The notes; or, for a visitor without a session, one silent question to the issuer, then the way to sign in."""
    note = take_note(request)
    if visitor is None:
        has_ended = here.cookie in request.cookies  # a page and no redirect, which a cookie that stays would repeat
        if not (note or has_ended) and (redirect := await try_silently(request, here)):
            return redirect
        response = here.pages.render("signed_out.html", note=note or (SessionEnded().text if has_ended else None))
        if has_ended:
            here.forget(request, response)
        return response
    access = access_for(visitor, here.provider, here.clock)
    page, status = None, 200
    try:
        page = await here.notes_api.list(access, cursor=cursor, limit=PER_PAGE)
    except (Unreachable, Refused) as trouble:  # without the notes one may still want to sign out
        note, status = trouble.text, trouble.status
    return here.pages.render(
        "notes.html", status=status, note=note, session=visitor, page=page, is_first=cursor is None
    )


@router.post("/notes")
async def add_note(here: Here, session: SignedIn, form: OwnForm) -> Response:
    access = access_for(session, here.provider, here.clock)
    await here.notes_api.add(access, title=_text(form, "title"), body=_text(form, "body"))
    return RedirectResponse("/", status_code=303)


@router.post("/notes/{note_id}/delete")
async def delete_note(note_id: str, here: Here, session: SignedIn, _: OwnForm) -> Response:
    await here.notes_api.delete(access_for(session, here.provider, here.clock), note_id)
    return RedirectResponse("/", status_code=303)


def _text(form: FormData, name: str) -> str:
    """Browsers send line ends as CRLF; people mean one."""
    return str(form.get(name, "")).replace("\r\n", "\n").strip()
