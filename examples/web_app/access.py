"""The access token of an app session, always one that still lives."""

from collections.abc import Awaitable, Callable

from examples.web_app.errors import Unreachable
from examples.web_app.provider import Provider
from examples.web_app.sessions import AppSession
from tallystick.clock import Clock

MARGIN = 45
"""Seconds before its end at which an access token is replaced, so that none expires on its way to the API."""

Access = Callable[[str | None], Awaitable[str]]
"""Gives an access token. The argument is one that the API has just refused, and that must not be given again."""


def access_for(session: AppSession, provider: Provider, clock: Clock) -> Access:
    async def access_token(refused: str | None = None) -> str:
        """Raises SessionEnded, or Unreachable when the issuer is away and the old token is of no more use."""
        async with session.refreshing:
            held = session.tokens
            left = held.expires_at - clock() if held.access_token != refused else 0
            if left > MARGIN:
                return held.access_token
            try:
                session.tokens = await provider.refresh(held)
            except Unreachable:
                if left <= 0:
                    raise  # otherwise the issuer may be away for as long as the token lives
            return session.tokens.access_token

    return access_token
