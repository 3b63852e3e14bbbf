"""A browser in which somebody once signed in is known for that account, so that strangers cannot lock it out."""

import hmac

from starlette.requests import Request
from starlette.responses import Response

from auth_service.authentication.cookie import Cookie
from auth_service.authentication.mac import mac
from tallystick import base64url
from tallystick.clock import Clock

_DAY = 86_400
_DAYS = 180


class KnownDevices:
    """The cookie `known_device` is `day.base64url(MAC)`, the day counted from 1970, and good for one account.

    It proves nothing but an earlier login, and gives nothing but a count of wrong passwords of its own. All browsers
    that became known on one day share that count: who once had the password cannot hoard cookies to guess the next one.
    """

    def __init__(self, form_key: bytes, clock: Clock, *, is_https: bool) -> None:
        self._key = form_key
        self._clock = clock
        self._cookie = Cookie("known_device", lifetime=_DAYS * _DAY, is_https=is_https)

    def day(self, request: Request, email_key: str) -> str | None:
        """The day since which this browser is known for the account; None when it is not, or no longer."""
        day, _, tag = (self._cookie.read(request) or "").partition(".")
        if not hmac.compare_digest(self._tag(email_key, day).encode(), tag.encode()):
            return None
        return day if self._today() - int(day) <= _DAYS else None

    def set_cookie(self, response: Response, email_key: str) -> None:
        today = str(self._today())
        self._cookie.set(response, f"{today}.{self._tag(email_key, today)}")

    def _tag(self, email_key: str, day: str) -> str:
        return base64url.encode(mac(self._key, "known device", email_key, day))

    def _today(self) -> int:
        return self._clock() // _DAY
