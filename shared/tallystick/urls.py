"""The addresses of issuers and APIs, which stay text: they are compared byte for byte (RFC 9700 §4.1)."""

import ipaddress
import re
from urllib.parse import quote, urlsplit, urlunsplit

import idna

_ROOT = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#]+)/")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# The characters of RFC 3986 but "#": a fragment never leaves its reader.
_URL = re.compile(r"https?://[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")


_OTHER_URI = re.compile(r"(?:urn:|[a-z][a-z0-9+.-]*://)[\x21\x24-\x3b\x3d\x40-\x5b\x5d\x5f\x61-\x7a\x7e]+")


def check_audience(audience: str) -> str:
    """Return `audience` if tokens can be issued for it and verified: an absolute URI without query and fragment.

    An http(s) URL has to be one that `check_identifier` takes. Other schemes, such as `api://` and `urn:`, only name
    the API (RFC 8707 §2). Raises ValueError otherwise.
    """
    if audience.lower().startswith(("http:", "https:")):
        return check_identifier(audience)
    if not _OTHER_URI.fullmatch(audience):
        raise ValueError(f"{audience!r} is not an absolute URI without query and fragment")
    return audience


def check_identifier(url: str) -> str:
    """Return `url` if it can name an issuer (RFC 8414 §2) or an API (RFC 8707 §2). Raises ValueError otherwise."""
    if "?" in check_url(url):
        raise ValueError(f"{url!r} must not have a query")
    return url


def check_url(url: str) -> str:
    """Return `url` if keys and tokens may travel to it: https, or http on loopback. Raises ValueError otherwise."""
    if not url.isascii():
        raise ValueError(f"{url!r} must be written as browsers send it: {as_browsers_send(url)}")
    if not _URL.fullmatch(url):
        raise ValueError(f"{url!r} is not an http(s) URL without a fragment")
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError when it is not a port
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url!r} must name a host, and no user")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"{url!r} must be https: plain http is for loopback only")
    return url


def as_browsers_send(url: str) -> str:
    """Return `url` with its host in the xn-- form (UTS #46) and the rest percent-encoded, for a message.

    Raises ValueError for a host that has no such form.
    """
    parts = urlsplit(url)
    try:
        host = idna.encode(parts.hostname or "", uts46=True).decode()
    except idna.IDNAError:
        raise ValueError(f"{url!r} names no host") from None
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
    if not origin.isascii():
        raise ValueError(f"{origin!r} must be written as browsers send it: {as_browsers_send(origin)}")
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(
            f"{origin!r} is not an origin as browsers send it: scheme://host[:port] in lower case, without a path"
        )
    scheme, port = found[1], found[2]
    if port is not None and (int(port) > 65535 or port == _DEFAULT_PORTS.get(scheme)):
        raise ValueError(f"{origin!r} has a port that browsers leave out, or that is none")
    return origin


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an http(s) URL, alike for all ways to write them (RFC 6454 §4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine (RFC 6761 §6.3). `host` is without port and brackets."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def well_known(url: str, name: str) -> str:
    """The address of `url`'s metadata: the name goes between host and path (RFC 8414 §3.1, RFC 9728 §3.1)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"
