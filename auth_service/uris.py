"""Which addresses a client may name, and when two of them are one (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1)."""

import re
from urllib.parse import urlsplit

from tallystick.urls import is_loopback

_PRIVATE_USE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_URI = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")  # RFC 3986: nothing to be encoded first
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_WITH_PORT = re.compile(r"http://(?:127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(?=/|\?|\Z)")


def check_redirect_uri(uri: str, *, is_native: bool, is_public: bool) -> str:
    """Return `uri` if a client may register it; raises ValueError with the reason otherwise.

    https anywhere; http on loopback hosts only; a private-use scheme (RFC 8252 §7.1) with a dot in it, for native
    public clients only. Never a fragment or user information.
    """
    if not _URI.fullmatch(uri):
        raise ValueError("holds characters that no URI has")
    try:
        url = urlsplit(uri)
        _ = url.port
    except ValueError:
        raise ValueError("is not a URL") from None  # Python's own words repeat what was sent
    if url.fragment or "#" in uri:
        raise ValueError("must not have a fragment")
    if url.scheme in ("http", "https"):
        if not url.hostname or url.username is not None:
            raise ValueError("must name a host, and no user")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ValueError("must be https, because plain http is for loopback only")
    elif not (is_native and is_public and _PRIVATE_USE_SCHEME.fullmatch(url.scheme)):
        raise ValueError(
            "needs https, or a private-use scheme with a dot in it and a public client of application_type native"
        )
    return uri


def is_registered(uri: str, registered: list[str]) -> bool:
    """Exact comparison, but that the port may vary on the loopback addresses 127.0.0.1 and [::1] (RFC 8252 §7.3)."""
    if uri in registered:
        return True
    if not _LOOPBACK_WITH_PORT.match(uri) or not _URI.fullmatch(uri):
        return False
    return any(_LOOPBACK_WITH_PORT.match(known) and _without_port(known) == _without_port(uri) for known in registered)


def runs_on_the_device(uri: str) -> bool:
    """Whether the code goes to a program on the user's machine, as which any other there could pose (RFC 8252 §8.6)."""
    url = urlsplit(uri)
    return url.scheme not in ("http", "https") or is_loopback(url.hostname or "")


def origin_of(uri: str) -> str | None:
    """The web origin as a browser writes it, without the scheme's own port (RFC 6454 §6.2); None for other schemes."""
    url = urlsplit(uri)
    if url.scheme not in _DEFAULT_PORTS:
        return None
    return f"{url.scheme}://{url.netloc.lower().removesuffix(f':{_DEFAULT_PORTS[url.scheme]}')}"


def _without_port(uri: str) -> str:
    match = _LOOPBACK_WITH_PORT.match(uri)
    if match is None or match.group(1) is None:
        return uri
    return uri[: match.start(1)] + uri[match.end(1) :]
