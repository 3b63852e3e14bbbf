"""The address of an issuer inside a network, where its public URL may not be reachable."""

from collections.abc import Callable
from urllib.parse import urlsplit

from tallystick.urls import check_url, origin_of

Address = Callable[[str], str]
"""Maps the published URL of a document to the URL that it is fetched from."""


def published(url: str) -> str:
    """The address of every document without an internal URL."""
    return url


def internal_address(issuer: str, internal_url: str, *, allow_insecure: bool = False) -> Address:
    """Fetch the documents at the origin of `issuer` from the origin `internal_url`, with the same path and query.

    Documents at other origins are fetched from there. With `allow_insecure`, the internal URL may be plain http: who
    can change the traffic between this API and the issuer can then issue tokens.

    Raises ValueError for an `internal_url` that is not an origin, or is http off loopback without `allow_insecure`.
    """
    try:
        check_url(internal_url, allow_http=allow_insecure)
    except ValueError as invalid:
        hint = "" if allow_insecure else " (allow_insecure_internal_url accepts http)"
        raise ValueError(f"internal_url: {invalid}{hint}") from invalid
    parts = urlsplit(internal_url)
    if parts.path not in ("", "/") or parts.query:
        raise ValueError(f"internal_url {internal_url!r} must be an origin: the paths are those of the public URLs")
    public, internal = origin_of(issuer), f"{parts.scheme}://{parts.netloc}"

    def address(url: str) -> str:
        if origin_of(url) != public:
            return url
        found = urlsplit(url)
        return f"{internal}{found.path}" + (f"?{found.query}" if found.query else "")

    return address
