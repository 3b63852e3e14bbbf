"""Deleting all notes, for which the API wants a fresh login: ask, perhaps sign in again, ask once more."""

import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.access import access_for
from examples.web_app.errors import InsufficientUserAuthentication
from examples.web_app.services import Here, OwnForm, SignedIn
from examples.web_app.sign_in import come_back_to, take_note

router = APIRouter()

PAGE = "/delete-all-notes"
SIGNED_IN_AGAIN = "You have signed in again, and nothing is deleted yet. Confirm that you want to delete all notes."
ALL_DELETED = "All your notes are deleted."


@router.get(PAGE)
async def ask(request: Request, here: Here, session: SignedIn) -> Response:
    """The first of two steps. It names whose notes they are, who need not be who was signed in a minute ago."""
    return here.pages.render("delete_all.html", note=take_note(request), session=session)


@router.post(PAGE)
async def delete_all(request: Request, here: Here, session: SignedIn, _: OwnForm) -> Response:
    """Delete, or send the browser to the issuer, from where it comes back to the question.

    Nothing goes on by itself after the login: the way back is a GET that others can bring about, by another user even.
    """
    try:
        await here.notes_api.delete_all(access_for(session, here.provider, here.clock))
    except InsufficientUserAuthentication as needed:
        state = secrets.token_urlsafe(16)
        response = await here.provider.authorization_redirect(
            request, state=state, login_hint=session.user.email, **needed.asked
        )
        come_back_to(PAGE, request, state=state, note=SIGNED_IN_AGAIN)
        return response
    request.session["note"] = ALL_DELETED
    return RedirectResponse("/", status_code=303)
