"""The URIs that a client may register, and their comparison (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1)."""

import ipaddress
import re
from urllib.parse import urlsplit

from tallystick.urls import is_loopback

_PRIVATE_USE_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
"""RFC 3986 §3.1, in lower case as browsers send it."""
_HANDLED_BY_BROWSERS = frozenset(
    {
        *("about", "blob", "chrome", "content", "data", "file", "filesystem", "ftp", "http", "https", "intent", "jar"),
        *("javascript", "mailto", "sms", "tel", "vbscript", "view-source", "ws", "wss"),
    }
)
"""Schemes that a browser handles itself, so that no app can own them."""

_URI = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")  # RFC 3986: characters that need no encoding
_WEB_URL = re.compile(r"(https?)://([^/?:\[\]]*|\[[^/?\]]*\])(?::([^/?]*))?(/[^?]*)?(?:\?(.*))?")
_HOST_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # WHATWG URL §3.5 parses these as IPv4
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_WITH_PORT = re.compile(r"http://(?:127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(?=/|\?|\Z)")


def check_redirect_uri(uri: str, *, is_native: bool) -> str:
    """Return `uri` if a client may register it. Raises ValueError with a reason that does not quote `uri`.

    Allowed are https for any host, http for loopback hosts, and a private-use scheme (RFC 8252 §7.1) for native
    clients. Fragments, user information and wildcards are refused.
    """
    scheme = _scheme_of(uri)
    if "*" in uri:
        raise ValueError("must not have a wildcard: redirect URIs are compared character by character")
    if scheme in _DEFAULT_PORTS:
        return check_web_url(uri)
    if not is_native:
        raise ValueError("must be https; a private-use scheme needs application_type native")
    check_private_use_scheme(scheme)
    try:
        urlsplit(uri)
    except ValueError:  # brackets without an IP address
        raise ValueError("is not a URI") from None
    return uri


def check_web_url(url: str) -> str:
    """Return an http(s) `url` that browsers send exactly as it is written. Raises ValueError as above.

    It must equal its serialization by the WHATWG URL standard, except that the path "/" may be left out. Two such URLs
    with different text are different targets, so URLs can be compared as text.
    """
    scheme = _scheme_of(url)
    parts = _WEB_URL.fullmatch(url)
    if parts is None:
        raise ValueError("must be an https URL" if scheme not in _DEFAULT_PORTS else "is not a URL")
    _, host, port, path, query = parts.groups()
    if "@" in host or "@" in (port or ""):
        raise ValueError("must name a host, and no user")
    _check_host(host)
    if scheme == "http" and not is_loopback(host.strip("[]")):
        raise ValueError("must be https, because plain http is for loopback only")
    if port is not None and (not _PORT.fullmatch(port) or int(port) > 65535 or int(port) == _DEFAULT_PORTS[scheme]):
        raise ValueError("must have no port, or one without leading zeros that is not the scheme's default")
    if {".", ".."} & {segment.lower().replace("%2e", ".") for segment in (path or "").split("/")}:
        raise ValueError("must not have the path segments . and ..")
    if query is not None and (path is None or "'" in query):
        raise ValueError("must have a path before its query, and no apostrophe in it")
    return url


def check_private_use_scheme(scheme: str) -> str:
    """Return `scheme` if an app may own it, with or without a dot. Raises ValueError otherwise."""
    if scheme in _HANDLED_BY_BROWSERS or not _PRIVATE_USE_SCHEME.fullmatch(scheme):
        raise ValueError("must be https, or have a private-use scheme in lower case")
    return scheme


def is_registered(uri: str, registered: list[str], *, any_loopback_port: bool) -> bool:
    """Compare exactly. With `any_loopback_port`, the port of 127.0.0.1 and [::1] may differ (RFC 8252 §7.3).

    Native and public clients need that, because a program picks a free port at each sign-in. A web client has a fixed
    port, and another program on the same machine may listen at any other.
    """
    if uri in registered:
        return True
    if not any_loopback_port or not _LOOPBACK_WITH_PORT.match(uri) or not _URI.fullmatch(uri):
        return False
    return any(_LOOPBACK_WITH_PORT.match(known) and _without_port(known) == _without_port(uri) for known in registered)


def has_private_use_scheme(uri: str) -> bool:
    """Such a scheme can be claimed by any program on the user's device (RFC 8252 §8.1)."""
    return uri.partition(":")[0] not in _DEFAULT_PORTS


def leads_to_the_device(uri: str) -> bool:
    """Whether the code goes to a program on the user's device. Other programs can impersonate it (RFC 8252 §8.6)."""
    return has_private_use_scheme(uri) or is_loopback(urlsplit(uri).hostname or "")


def shown_target(uri: str) -> str:
    """The text that pages show as the target of `uri`: the host and port, or the private-use scheme.

    The host of a private-use URI has no meaning: com.evil.app://accounts.example/ opens the app that owns the scheme.
    """
    return uri.partition(":")[0] if has_private_use_scheme(uri) else urlsplit(uri).netloc


def web_origin(uri: str) -> str | None:
    """The origin as browsers send it, without the default port (RFC 6454 §6.2); None for other schemes than http(s)."""
    url = urlsplit(uri)
    if url.scheme not in _DEFAULT_PORTS:
        return None
    return f"{url.scheme}://{url.netloc.lower().removesuffix(f':{_DEFAULT_PORTS[url.scheme]}')}"


def _scheme_of(uri: str) -> str:
    """The scheme as written, after the checks that apply to every scheme."""
    if not _URI.fullmatch(uri):
        raise ValueError("holds characters that no URI has")
    if "#" in uri:
        raise ValueError("must not have a fragment")
    scheme, colon, _ = uri.partition(":")
    if not colon:
        raise ValueError("must be an absolute URI")
    return scheme


def _check_host(host: str) -> None:
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("is not a URL") from None  # Python's message quotes the input
        if host != f"[{address.compressed}]" or address.ipv4_mapped is not None or address.scope_id is not None:
            raise ValueError("must name an IPv6 address in its shortest form")
        return
    if not host:
        raise ValueError("must name a host, and no user")
    if not all(_HOST_LABEL.fullmatch(label) for label in host.split(".")) or len(host) > 253:
        raise ValueError("must name its host as a browser does: lower case, no percent signs, xn-- for other letters")
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("must name an IPv4 address as four decimal numbers") from None


def _without_port(uri: str) -> str:
    match = _LOOPBACK_WITH_PORT.match(uri)
    if match is None or match.group(1) is None:
        return uri
    return uri[: match.start(1)] + uri[match.end(1) :]
