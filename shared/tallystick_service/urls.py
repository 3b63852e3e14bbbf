"""URLs and origins in the settings and requests of a service."""

import re
from urllib.parse import quote, urlsplit, urlunsplit

import idna

_ROOT = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#]+)/")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def require_ascii(url: str) -> str:
    """Return `url` if it is ASCII. Raises ValueError otherwise, with the spelling that browsers send."""
    if not url.isascii():
        raise ValueError(f"{url!r} must be written as browsers send it: {to_ascii(url)}")
    return url


def to_ascii(url: str) -> str:
    """Return `url` as browsers send it: the host in its xn-- form (UTS #46), the rest percent-encoded.

    Raises ValueError for a host that has no such form.
    """
    parts = urlsplit(url)
    try:
        host = idna.encode(parts.hostname or "", uts46=True).decode()
    except idna.IDNAError:
        raise ValueError(f"{url!r} has no valid host") from None
    port = "" if parts.port is None else f":{parts.port}"
    path, query = (quote(part, safe="/:?=&%+~!$'()*,;@[]") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, f"{host}{port}", path, query, ""))


def unicode_host(host: str) -> str:
    """Return `host` with each valid xn-- label in Unicode (RFC 5891 §5.4); the other labels stay as they are."""
    return ".".join(_unicode_label(label) if label[:4].lower() == "xn--" else label for label in host.split("."))


def _unicode_label(label: str) -> str:
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label


def without_root_path(url: str) -> str:
    """Return `url` without a path that is only "/", so that both spellings of one resource compare equal.

    An empty path and "/" name the same resource (RFC 9110 §4.2.3, RFC 3986 §6.2.3).
    """
    match = _ROOT.fullmatch(url)
    return url if match is None else match[1]


def check_origin(origin: str) -> str:
    """Return `origin` if a browser can send it as the Origin of a page: "scheme://host[:port]" (RFC 6454 §6.2).

    The scheme may be an app's own, as in capacitor://localhost. Raises ValueError for any other spelling of an origin,
    because Origin headers are compared byte for byte, and for "null", which every sandboxed page sends.
    """
    found = _ORIGIN.fullmatch(require_ascii(origin))
    if found is None:
        raise ValueError(
            f"{origin!r} is not an origin as browsers send it: scheme://host[:port] in lower case, without a path"
        )
    scheme, port = found[1], found[2]
    if port is not None and (int(port) > 65535 or port == _DEFAULT_PORTS.get(scheme)):
        raise ValueError(f"{origin!r} has a port that is invalid, or that browsers leave out")
    return origin
