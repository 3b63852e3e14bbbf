"""Reading documents from an issuer that may be slow, wrong or down: bounded bytes, no redirects."""

import httpx

from tallystick.request_id import outgoing_headers
from tallystick.strict_json import parse_object
from tallystick.urls import check_url, well_known

MAX_DOCUMENT_BYTES = 256 * 1024


async def get_document(http: httpx.AsyncClient, url: str) -> bytes:
    """The body of a 200. The time is bounded by the caller.

    Raises ValueError for any other answer and for a body without end; httpx.HTTPError when there is no answer.
    """
    # Uncompressed, so that the bytes on the wire are the bytes held.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **outgoing_headers()}
    async with http.stream("GET", url, headers=headers, follow_redirects=False) as response:
        if response.status_code != 200:
            raise ValueError(f"{url} answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{url} answered with an encoding that was not asked for")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"{url} answered more than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(body)


async def find_jwks_uri(http: httpx.AsyncClient, issuer: str) -> str:
    """Where the issuer publishes its keys: OpenID Connect Discovery §4, then RFC 8414 §3.

    Raises ValueError when neither document is there, is the issuer's own (RFC 8414 §3.3), or names an address that
    keys may be fetched from; httpx.HTTPError when the issuer does not answer.
    """
    openid_configuration = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        return _jwks_uri(await get_document(http, openid_configuration), issuer)
    except ValueError:
        return _jwks_uri(await get_document(http, well_known(issuer, "oauth-authorization-server")), issuer)


def _jwks_uri(document: bytes, issuer: str) -> str:
    metadata = parse_object(document)
    if metadata.get("issuer") != issuer:
        raise ValueError(f"the metadata of {issuer} is of another issuer")
    jwks_uri = metadata.get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise ValueError(f"the metadata of {issuer} names no jwks_uri")
    return check_url(jwks_uri)
