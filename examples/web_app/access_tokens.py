"""The access token of an app session, refreshed before it expires."""

from examples.web_app.errors import ServiceUnavailable
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.sessions import AppSession
from tallystick.clock import Clock

REFRESH_MARGIN = 45
"""Seconds before its expiry at which an access token is replaced, so that it does not expire on the way to the API."""


class AccessTokens:
    """The access tokens of one app session."""

    def __init__(self, session: AppSession, provider: OpenIDProvider, clock: Clock) -> None:
        self._session = session
        self._provider = provider
        self._clock = clock

    async def get(self, *, refused: str | None = None) -> str:
        """Return an access token. `refused` is one that the API has refused, which is not returned again.

        Concurrent requests of a session refresh it once. Raises SessionEnded, or ServiceUnavailable when the issuer
        does not answer and the current token has expired or was refused.
        """
        async with self._session.refreshing:
            tokens = self._session.tokens
            seconds_left = tokens.expires_at - self._clock() if tokens.access_token != refused else 0
            if seconds_left > REFRESH_MARGIN:
                return tokens.access_token
            try:
                self._session.tokens = await self._provider.refresh(tokens)
            except ServiceUnavailable:
                if seconds_left <= 0:
                    raise  # while the current token is valid, the issuer may be unavailable
            return self._session.tokens.access_token
