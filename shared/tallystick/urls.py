"""URLs of issuers, APIs and their documents. They stay text and are compared byte for byte (RFC 9700 §4.1)."""

import ipaddress
import re
from urllib.parse import quote, urlsplit

MAX_PRINTED_ADDRESS = 200
"""Characters of an address that are logged."""

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# The characters of RFC 3986 without "#", because a fragment is never sent.
_URL = re.compile(r"https?://[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
_OTHER_URI = re.compile(r"(?:urn:|[a-z][a-z0-9+.-]*://)[\x21\x24-\x3b\x3d\x40-\x5b\x5d\x5f\x61-\x7a\x7e]+")


def check_audience(audience: str) -> str:
    """Return `audience` if it can name an API: an absolute URI without query and fragment.

    An http(s) URL must pass `check_identifier`. A URI of another scheme, such as `api://` or `urn:`, is only a name
    (RFC 8707 §2). Raises ValueError otherwise.
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


def check_url(url: str, *, allow_http: bool = False) -> str:
    """Return `url` if keys and tokens may be sent to it: https, or http on loopback. Raises ValueError otherwise.

    With `allow_http`, plain http is accepted for every host.
    """
    if not url.isascii():
        raise ValueError(f"{url!r} must be ASCII: the host in its xn-- form, the rest percent-encoded")
    if not _URL.fullmatch(url):
        raise ValueError(f"{url!r} is not an http(s) URL without a fragment")
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError when the port is invalid
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url!r} must have a host, and no user information")
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname):
        raise ValueError(f"{url!r} must be https: plain http is for loopback only")
    return url


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an http(s) URL, with the default port filled in (RFC 6454 §4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def is_loopback(host: str) -> bool:
    """Whether `host`, without port and brackets, is this machine (RFC 6761 §6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def well_known(url: str, name: str) -> str:
    """The URL of the metadata of `url`: the name goes between host and path (RFC 8414 §3.1, RFC 9728 §3.1)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def printable_address(uri: str) -> str:
    """Scheme, host, port and path of `uri`, in printable ASCII, at most MAX_PRINTED_ADDRESS characters.

    User information, query and fragment are dropped, because they may hold a password, a code or personal data.
    """
    try:
        url = urlsplit(uri[: 4 * MAX_PRINTED_ADDRESS])
        host = url.netloc.rpartition("@")[2]
    except ValueError:  # a malformed IPv6 host
        return "(malformed)"
    if not url.scheme or not (host or url.path.startswith("/")):
        return "(not an absolute URI)"
    address = quote(f"{url.scheme}:{'//' if host else ''}{host}{url.path}", safe=_PRINTABLE, errors="replace")
    return address if len(address) <= MAX_PRINTED_ADDRESS else address[:MAX_PRINTED_ADDRESS] + "..."
