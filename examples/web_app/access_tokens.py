"""The access token of an app session, refreshed before it expires."""

import asyncio

from examples.web_app.errors import ServiceUnavailable, SessionEnded
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.session_store import SessionStore
from examples.web_app.sessions import AppSession, Tokens
from tallystick.clock import Clock

REFRESH_MARGIN = 45
"""Seconds before its expiry at which an access token is replaced, so that it does not expire on the way to the API."""
REFRESH_TIMEOUT = 10
"""Seconds that a refresh may take. After that time another request may do it, as when a process was killed."""
POLL_INTERVAL = 0.05
"""Seconds between two looks of a request that waits for the refresh of another one."""


class AccessTokens:
    """The access tokens of one app session.

    One request of a session uses the refresh token, and the others wait for its result, in all worker processes: the
    reservation is in the session store. A reservation can end before its request has stored a result, for example when
    the process is killed. Then the next request sends the same refresh token, which the issuer answers once more
    within its grace period (docs/configuration.md, `refresh_token_grace`).
    """

    def __init__(self, session: AppSession, store: SessionStore, provider: OpenIDProvider, clock: Clock) -> None:
        self._session = session
        self._store = store
        self._provider = provider
        self._clock = clock

    async def get(self, *, refused: str | None = None) -> str:
        """Return an access token. `refused` is one that the API has refused, which is not returned again.

        Raises SessionEnded, or ServiceUnavailable when the issuer does not answer and the current token has expired or
        was refused.
        """
        if self._seconds_left(refused) <= REFRESH_MARGIN:
            try:
                await self._replace(self._session.tokens)
            except ServiceUnavailable:
                if self._seconds_left(refused) <= 0:
                    raise  # while the current token is valid, the issuer may be unavailable
        return self._session.tokens.access_token

    def _seconds_left(self, refused: str | None) -> int:
        tokens = self._session.tokens
        return tokens.expires_at - self._clock() if tokens.access_token != refused else 0

    async def _replace(self, spent: Tokens) -> None:
        """Refresh the tokens `spent`, or wait until another request has done it."""
        try:
            async with asyncio.timeout(2 * REFRESH_TIMEOUT):
                while self._session.tokens == spent:
                    if await self._store.reserve_refresh(self._session, seconds=REFRESH_TIMEOUT):
                        await self._refresh(spent)
                    self._session = await self._stored_session()
                    if self._session.tokens == spent:
                        await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError:
            raise ServiceUnavailable("The sign-in service") from None

    async def _refresh(self, spent: Tokens) -> None:
        tokens = spent
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT - 1):  # ends before the reservation does
                tokens = await self._provider.refresh(spent)
        finally:
            await self._store.finish_refresh(self._session, tokens)

    async def _stored_session(self) -> AppSession:
        session = await self._store.reload(self._session)
        if session is None:
            raise SessionEnded
        return session
