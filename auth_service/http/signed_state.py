"""State that the service puts into its pages and gets back from the browser, protected by a MAC.

Nothing is stored for a browser before its user has signed in: the form carries the request.
"""

import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from auth_service.http.mac import mac
from auth_service.vocabulary.timing import FORM_LIFETIME
from tallystick import base64url
from tallystick.clock import Clock

_MIN_COMPRESSED_LENGTH = 1000
"""Characters of a query. Most queries are shorter, and are not compressed."""
_MAX_LENGTH = 65_536
"""Characters of a signed text."""
_STATE_PURPOSE = "seal"
"""The word in the MAC. It keeps its old value, so that pages that were open during an upgrade still work."""


@dataclass(frozen=True)
class SignedState:
    """A request that waits for its user: an authorization request or a sign-out request.

    `query` is the text of the request; it is parsed and checked again after each page. `started` is when it arrived,
    in Unix seconds. `session_fingerprint` identifies the login session's cookie that was set when the user signed in
    for this request; "" if the user has not. In a browser without that cookie, the request counts as one without a
    login of its own.
    """

    query: str
    started: int
    session_fingerprint: str = ""


class BadSignature(ValueError):
    """The text was not signed by this service, or was changed."""


class SignedStateExpired(ValueError):
    """The text was signed by this service more than an hour ago. `state` is what it held."""

    def __init__(self, state: SignedState) -> None:
        super().__init__("signed more than an hour ago")
        self.state = state


class StateSigner:
    """`form_keys` returns the keys that all processes share, 32 bytes each. The first signs; all of them verify."""

    def __init__(self, form_keys: Callable[[], Sequence[bytes]], clock: Clock) -> None:
        self._keys = form_keys
        self._clock = clock

    def sign(self, state: SignedState) -> str:
        """Text for a hidden field or a URL. The browser can read it, but cannot change it.

        The format is `base64url(JSON).base64url(MAC)`. A long query is compressed and added after the JSON, as
        `base64url(JSON)~base64url(zlib)`, because proxies limit the length of the header that carries it. Only the
        query is compressed, so that the length reveals nothing about `session_fingerprint`.
        """
        is_long = len(state.query) > _MIN_COMPRESSED_LENGTH
        text = json.dumps(["" if is_long else state.query, state.started, state.session_fingerprint])
        compressed = base64url.encode(zlib.compress(state.query.encode())) if is_long else ""
        tag = base64url.encode(mac(self._keys()[0], _STATE_PURPOSE, *_mac_parts(text, compressed)))
        return f"{base64url.encode(text.encode())}{'~' if compressed else ''}{compressed}.{tag}"

    def verify(self, text: str) -> SignedState:
        """Return the state that `sign` made into `text`. Raises BadSignature or SignedStateExpired."""
        encoded, _, tag = text.partition(".")
        if len(text) > _MAX_LENGTH:
            raise BadSignature("too long")
        try:
            encoded, separator, compressed = encoded.partition("~")
            document = base64url.decode(encoded).decode()
            is_ours = self._is_mac(base64url.decode(tag), _STATE_PURPOSE, *_mac_parts(document, compressed))
        except ValueError:
            raise BadSignature("not base64url") from None
        if not is_ours or bool(separator) != bool(compressed):
            raise BadSignature("not signed by this service")
        state = SignedState(*json.loads(document))
        if compressed:  # the MAC was right, so the size is one that this service made
            state = replace(state, query=zlib.decompress(base64url.decode(compressed)).decode())
        if self._clock() - state.started > FORM_LIFETIME:
            raise SignedStateExpired(state)
        return state

    def csrf_token(self, sid: str, purpose: str, subject: str) -> str:
        """A token for one login session (`sid`) and one form. `subject` is the text that the user decides about."""
        return base64url.encode(mac(self._keys()[0], "csrf", sid, purpose, subject))

    def check_csrf_token(self, csrf_token: str, sid: str, purpose: str, subject: str) -> bool:
        try:
            tag = base64url.decode(csrf_token)
        except ValueError:
            return False
        return self._is_mac(tag, "csrf", sid, purpose, subject)

    def _is_mac(self, tag: bytes, purpose: str, *parts: str) -> bool:
        return any(hmac.compare_digest(mac(key, purpose, *parts), tag) for key in self._keys())


def _mac_parts(text: str, compressed: str) -> tuple[str, ...]:
    return (text, compressed) if compressed else (text,)
