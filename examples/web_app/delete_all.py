"""Deleting all notes, for which the API requires a recent login: confirm, perhaps sign in again, confirm once more."""

import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from examples.web_app.dependencies import AppServices, CheckedForm, CurrentSession
from examples.web_app.errors import InsufficientUserAuthentication
from examples.web_app.sign_in import continue_after_sign_in, pop_message

router = APIRouter()

PAGE = "/delete-all-notes"
SIGNED_IN_AGAIN = "You have signed in again, and nothing is deleted yet. Confirm that you want to delete all notes."
ALL_DELETED = "All your notes are deleted."


@router.get(PAGE)
async def confirm(request: Request, services: AppServices, session: CurrentSession) -> Response:
    """Show the confirmation page. It names the owner of the notes: another user may have signed in meanwhile."""
    return services.pages.render("delete_all.html", message=pop_message(request), session=session)


@router.post(PAGE)
async def delete_all(request: Request, services: AppServices, session: CurrentSession, _: CheckedForm) -> Response:
    """Delete all notes, or redirect to the issuer, which redirects to the confirmation page.

    The deletion does not continue by itself after the sign-in, because another website, or another user of the
    browser, can cause that redirect.
    """
    try:
        await services.notes_api.delete_all(services.access_tokens(session))
    except InsufficientUserAuthentication as error:
        state = secrets.token_urlsafe(16)
        response = await services.provider.authorization_redirect(
            request, state=state, login_hint=session.user.email, **error.parameters
        )
        continue_after_sign_in(PAGE, request, state=state, message=SIGNED_IN_AGAIN)
        return response
    request.session["message"] = ALL_DELETED
    return RedirectResponse("/", status_code=303)
