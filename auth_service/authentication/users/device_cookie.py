"""A cookie for browsers in which a user has signed in, so that attackers cannot use up the user's login attempts."""

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auth_service.http.cookies import Cookie
from auth_service.http.mac import mac
from tallystick import base64url
from tallystick.clock import Clock

_DAY_SECONDS = 86_400
_MAX_DAYS = 180
_MAX_CHARACTERS = 200


@dataclass(frozen=True)
class KnownDevice:
    """`device_id` is random. `generation` is the account's password generation at the browser's last login."""

    device_id: str
    generation: int


class DeviceCookie:
    """The cookie `known_device` is `device_id.day.generation.MAC` for one account. Days are counted from 1970.

    It proves an earlier login, and grants only login attempts of its own. A change of the password raises the account's
    generation and so invalidates all earlier cookies, stolen copies included.
    """

    def __init__(self, form_keys: Callable[[], Sequence[bytes]], clock: Clock, *, is_https: bool) -> None:
        """`form_keys` returns the keys that all processes share, the newest first. Only the newest is used: after its
        replacement a browser is unknown until its next login."""
        self._form_keys = form_keys
        self._clock = clock
        self.cookie = Cookie("known_device", lifetime=_MAX_DAYS * _DAY_SECONDS, is_https=is_https)

    def parse(self, value: str | None, email_key: str) -> KnownDevice | None:
        """The content of a genuine cookie for this account of the last 180 days; else None.

        The caller compares the generation with that of the account.
        """
        value = value or ""
        text, _, tag = value.rpartition(".")
        if len(value) > _MAX_CHARACTERS or not hmac.compare_digest(self._tag(email_key, text).encode(), tag.encode()):
            return None
        device_id, day, generation = text.split(".")
        return KnownDevice(device_id, int(generation)) if self._today() - int(day) <= _MAX_DAYS else None

    def issue(self, email_key: str, *, generation: int, known: KnownDevice | None) -> str:
        """A cookie dated today. `known`, the earlier cookie's content, keeps its id if its generation is the same."""
        is_same_generation = known is not None and known.generation == generation
        device_id = known.device_id if known and is_same_generation else base64url.encode(secrets.token_bytes(16))
        text = f"{device_id}.{self._today()}.{generation}"
        return f"{text}.{self._tag(email_key, text)}"

    def _tag(self, email_key: str, text: str) -> str:
        return base64url.encode(mac(self._form_keys()[0], "known browser", email_key, text))

    def _today(self) -> int:
        return self._clock() // _DAY_SECONDS
