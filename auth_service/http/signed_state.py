"""What our pages' forms carry, and how a form that comes back is told from a stranger's.

Nothing is stored for a browser in which nobody has signed in: what has to be remembered travels with the form, sealed.
"""

import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request

from auth_service.client_metadata.redirect_uris import web_origin
from auth_service.http.mac import mac
from tallystick import base64url
from tallystick.clock import Clock

_LIFETIME = 3600
_COMPRESSED_FROM = 1000
"""Characters of a query; most are shorter, and cost nothing then."""
_MOST_CHARACTERS = 65_536


class BadSignature(ValueError):
    """We have not sealed this, or not so."""


@dataclass(frozen=True)
class SignedState:
    """An authorization request on its way through the login page.

    `query` is the request as it came, to be judged again. `started` is Unix seconds. `session_fingerprint` is that of
    the login session's cookie that was set when the user signed in for this request, or "". Only one browser has that
    cookie, so in any other browser the request is answered as if no login had happened for it.
    """

    query: str
    started: int
    session_fingerprint: str


class SignedStateExpired(ValueError):
    """We have sealed this, more than an hour ago."""

    def __init__(self, sealed: SignedState) -> None:
        super().__init__("sealed more than an hour ago")
        self.sealed = sealed


class StateSigner:
    """`form_keys` tells the keys that all processes share, of 32 bytes each: the first makes MACs, all check them."""

    def __init__(self, form_keys: Callable[[], Sequence[bytes]], issuer: str, clock: Clock) -> None:
        self._keys = form_keys
        self._origin = web_origin(issuer)
        self._clock = clock

    def sign(self, query: str, *, started: int, session_fingerprint: str = "") -> str:
        """Text for a hidden field or a URL. It is not secret, only unchangeable.

        `base64url(JSON).base64url(MAC)`; a long query stands beside the JSON, as `base64url(JSON)~base64url(zlib)`,
        because proxies bound the header in which it travels. It is compressed by itself, so that its length tells
        nothing about `session_fingerprint`.
        """
        is_long = len(query) > _COMPRESSED_FROM
        text = json.dumps(["" if is_long else query, started, session_fingerprint])
        packed = base64url.encode(zlib.compress(query.encode())) if is_long else ""
        tag = base64url.encode(mac(self._keys()[0], "seal", *_parts(text, packed)))
        return f"{base64url.encode(text.encode())}{'~' if packed else ''}{packed}.{tag}"

    def verify(self, sealed: str) -> SignedState:
        """Raises BadSignature or SignedStateExpired."""
        encoded, _, tag = sealed.partition(".")
        if len(sealed) > _MOST_CHARACTERS:
            raise BadSignature("too long")
        try:
            encoded, is_long, packed = encoded.partition("~")
            text = base64url.decode(encoded).decode()
            is_ours = self._is_mac(base64url.decode(tag), "seal", *_parts(text, packed))
        except ValueError:
            raise BadSignature("not base64url") from None
        if not is_ours or bool(is_long) != bool(packed):
            raise BadSignature("not sealed by us")
        opened = SignedState(*json.loads(text))
        if packed:  # ours, so that its size is bounded
            opened = replace(opened, query=zlib.decompress(base64url.decode(packed)).decode())
        if self._clock() - opened.started > _LIFETIME:
            raise SignedStateExpired(opened)
        return opened

    def csrf_token(self, sid: str, purpose: str, subject: str) -> str:
        """Belongs to one login session, and to one content of one form: `subject` is what the user is asked about."""
        return base64url.encode(mac(self._keys()[0], "csrf", sid, purpose, subject))

    def check_csrf_token(self, csrf_token: str, sid: str, purpose: str, subject: str) -> bool:
        try:
            tag = base64url.decode(csrf_token)
        except ValueError:
            return False
        return self._is_mac(tag, "csrf", sid, purpose, subject)

    def _is_mac(self, tag: bytes, purpose: str, *parts: str) -> bool:
        return any(hmac.compare_digest(mac(key, purpose, *parts), tag) for key in self._keys())

    def is_our_origin(self, request: Request) -> bool:
        """Whether a page of ours sent this form: a browser names the sender in Origin, and no page can lie there.

        Pages with forms need `Referrer-Policy: same-origin`. Under no-referrer Chrome sends `Origin: null`, which a
        stranger's sandboxed frame sends as well.
        """
        return request.headers.getlist("origin") == [self._origin]


def _parts(text: str, packed: str) -> tuple[str, ...]:
    return (text, packed) if packed else (text,)
