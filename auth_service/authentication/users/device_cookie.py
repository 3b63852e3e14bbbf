"""Recognise a browser in which a user has signed in before, so that attackers cannot use up its login attempts."""

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth_service.http.cookies import Cookie
from auth_service.http.mac import mac
from tallystick import base64url
from tallystick.clock import Clock

_DAY = 86_400
_DAYS = 180
_MAX_CHARACTERS = 200


@dataclass(frozen=True)
class KnownDevice:
    """`browser_id` is random. `generation` is the account's password generation at the browser's last login."""

    browser_id: str
    generation: int


class DeviceCookie:
    """The cookie `known_device` is `browser_id.day.generation.MAC` for one account; days are counted from 1970.

    It proves an earlier login and grants only login attempts of its own. A change of the password raises the account's
    generation, which makes every cookie from before worthless, also the copies of a thief.
    """

    def __init__(self, form_keys: Callable[[], Sequence[bytes]], clock: Clock, *, is_https: bool) -> None:
        """`form_keys` tells the keys that all processes share. Only the first counts: a browser that was known under a
        key that was replaced becomes known again at its next login."""
        self._form_keys = form_keys
        self._clock = clock
        self._cookie = Cookie("known_device", lifetime=_DAYS * _DAY, is_https=is_https)

    def find(self, request: Request, email_key: str) -> KnownDevice | None:
        """What this browser's cookie says about the account; None without a genuine one of the last 180 days.

        Whether its generation is still the account's, the caller compares.
        """
        cookie = self._cookie.read(request) or ""
        text, _, tag = cookie.rpartition(".")
        if len(cookie) > _MAX_CHARACTERS or not hmac.compare_digest(self._tag(email_key, text).encode(), tag.encode()):
            return None
        browser_id, day, generation = text.split(".")
        return KnownDevice(browser_id, int(generation)) if self._today() - int(day) <= _DAYS else None

    def set_cookie(self, response: Response, email_key: str, *, generation: int, known: KnownDevice | None) -> None:
        """Remember the browser as of today. One that is `known` under the same generation keeps its id."""
        has_id = known is not None and known.generation == generation
        browser_id = known.browser_id if known and has_id else base64url.encode(secrets.token_bytes(16))
        text = f"{browser_id}.{self._today()}.{generation}"
        self._cookie.set(response, f"{text}.{self._tag(email_key, text)}")

    def _tag(self, email_key: str, text: str) -> str:
        return base64url.encode(mac(self._key, "known browser", email_key, text))

    @property
    def _key(self) -> bytes:
        return self._form_keys()[0]

    def _today(self) -> int:
        return self._clock() // _DAY
