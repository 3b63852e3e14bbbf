"""The notes API, seen from a client: Bearer token in, pages of notes out."""

import logging
from collections.abc import Collection
from urllib.parse import quote

import httpx2
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from examples.web_app.access import Access
from examples.web_app.challenge import step_up
from examples.web_app.errors import InsufficientUserAuthentication, Refused, SessionEnded, Unreachable

log = logging.getLogger(__name__)


class Note(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    title: str
    body: str
    created_at: AwareDatetime


class NotesPage(BaseModel):
    model_config = ConfigDict(frozen=True)
    notes: list[Note]
    next_cursor: str | None = None


class NotesAPI:
    """`http` has the API's address as its base URL, and a timeout."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def list(self, access: Access, *, cursor: str | None, limit: int) -> NotesPage:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        response = await self._send(access, "GET", "/notes", params=query)
        try:
            return NotesPage.model_validate_json(response.content)
        except ValidationError as surprising:
            log.warning("the notes API answered in another shape: %s", surprising)
            raise Unreachable("The notes service") from surprising

    async def add(self, access: Access, *, title: str, body: str) -> None:
        await self._send(access, "POST", "/notes", json={"title": title, "body": body})

    async def delete(self, access: Access, note_id: str) -> None:
        """A note that is gone already is as good as deleted."""
        await self._send(access, "DELETE", f"/notes/{quote(note_id, safe='')}", fine=(404,))

    async def delete_all(self, access: Access) -> None:
        """Raises InsufficientUserAuthentication when the login is too old for that."""
        await self._send(access, "DELETE", "/notes")

    async def _send(
        self,
        access: Access,
        method: str,
        path: str,
        *,
        fine: Collection[int] = (),
        params: dict[str, str] | None = None,
        json: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """Call, and once more with a new token if the API refuses the one we hold.

        `fine`: statuses besides 2xx that are no trouble. Raises SessionEnded (401 twice), Refused, Unreachable or,
        when no new token would do but a new login might, InsufficientUserAuthentication.
        """
        token = await access(None)
        try:
            response = await self._http.request(method, path, params=params, json=json, headers=_bearer(token))
            if response.status_code == 401:
                _check_login(response)
                token = await access(token)
                response = await self._http.request(method, path, params=params, json=json, headers=_bearer(token))
        except httpx2.HTTPError as failed:
            log.warning("the notes API gave no answer: %r", failed)
            raise Unreachable("The notes service") from failed
        _check_login(response)
        status = response.status_code
        if response.is_success or status in fine:
            return response
        if status == 401:
            raise SessionEnded
        if status >= 500:
            raise Unreachable("The notes service")
        log.info("the notes API refused %s %s: %d", method, path, status)
        raise Refused(WORDS_FOR_REFUSALS.get(status, "The notes service did not accept this."))


WORDS_FOR_REFUSALS = {
    403: "Your login does not allow this app to do that with your notes.",
    413: "This note is too long to be kept.",
    422: "The notes service could not take this note as it is. Is it very long, or its title empty?",
}


def _check_login(response: httpx2.Response) -> None:
    if response.status_code == 401 and (asked := step_up(response.headers.get_list("www-authenticate"))):
        raise InsufficientUserAuthentication(asked)


def _bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}
