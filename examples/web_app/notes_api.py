"""A client of the notes API."""

import logging
from collections.abc import Collection
from urllib.parse import quote

import httpx2
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from examples.web_app.access_tokens import AccessTokens
from examples.web_app.challenge import step_up_parameters
from examples.web_app.errors import (
    InsufficientUserAuthentication,
    RequestRefused,
    ServiceUnavailable,
    SessionEnded,
)

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

    async def list(self, access_tokens: AccessTokens, *, cursor: str | None, limit: int) -> NotesPage:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        response = await self._send(access_tokens, "GET", "/notes", params=query)
        try:
            return NotesPage.model_validate_json(response.content)
        except ValidationError as error:
            log.warning("the notes API sent an invalid response: %s", error)
            raise ServiceUnavailable("The notes service") from error

    async def add(self, access_tokens: AccessTokens, *, title: str, body: str) -> None:
        await self._send(access_tokens, "POST", "/notes", json={"title": title, "body": body})

    async def delete(self, access_tokens: AccessTokens, note_id: str) -> None:
        """Deleting a note that does not exist succeeds."""
        await self._send(access_tokens, "DELETE", f"/notes/{quote(note_id, safe='')}", accepted=(404,))

    async def delete_all(self, access_tokens: AccessTokens) -> None:
        """Raises InsufficientUserAuthentication when the login is not recent enough."""
        await self._send(access_tokens, "DELETE", "/notes")

    async def _send(
        self,
        access_tokens: AccessTokens,
        method: str,
        path: str,
        *,
        accepted: Collection[int] = (),
        params: dict[str, str] | None = None,
        json: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """Call the API; after a 401, call it once more with a new token.

        `accepted`: statuses besides 2xx that are returned. Raises SessionEnded after a second 401, RequestRefused,
        ServiceUnavailable, or InsufficientUserAuthentication when a new login is needed and a new token is not enough.
        """
        token = await access_tokens.get()
        try:
            response = await self._http.request(method, path, params=params, json=json, headers=_bearer(token))
            if response.status_code == 401:
                _check_step_up(response)
                token = await access_tokens.get(refused=token)
                response = await self._http.request(method, path, params=params, json=json, headers=_bearer(token))
        except httpx2.HTTPError as error:
            log.warning("the notes API did not answer: %r", error)
            raise ServiceUnavailable("The notes service") from error
        _check_step_up(response)
        status = response.status_code
        if response.is_success or status in accepted:
            return response
        if status == 401:
            raise SessionEnded
        if status >= 500:
            raise ServiceUnavailable("The notes service")
        log.info("the notes API refused %s %s: %d", method, path, status)
        raise RequestRefused(REFUSAL_MESSAGES.get(status, "The notes service did not accept this."))


REFUSAL_MESSAGES = {
    403: "Your login does not allow this app to do that with your notes.",
    413: "This note is too long to be kept.",
    422: "The notes service could not take this note as it is. Is it very long, or its title empty?",
}


def _check_step_up(response: httpx2.Response) -> None:
    """Raises InsufficientUserAuthentication when the API challenges for another login (RFC 9470)."""
    if response.status_code == 401:
        parameters = step_up_parameters(response.headers.get_list("www-authenticate"))
        if parameters is not None:
            raise InsufficientUserAuthentication(parameters)


def _bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}
