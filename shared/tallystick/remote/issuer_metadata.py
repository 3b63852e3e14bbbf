"""What an issuer publishes about itself: OpenID Connect Discovery §4, RFC 8414."""

import httpx

from tallystick.errors import quoted
from tallystick.remote.issuer_http import NotThere, get_document
from tallystick.strict_json import parse_object
from tallystick.urls import check_url, well_known

MAX_STATUS_LISTS = 32
"""Lists of one issuer that are followed, each fetched in every round."""


async def find_jwks_uri(http: httpx.AsyncClient, issuer: str) -> str:
    """Where the issuer publishes its keys: OpenID Connect Discovery §4, then RFC 8414 §3.

    Raises ValueError when neither document is there, is the issuer's own (RFC 8414 §3.3), or names an address that
    keys may be fetched from; httpx.HTTPError when the issuer does not answer.
    """
    openid_configuration, authorization_server = _addresses(issuer)
    try:
        return _jwks_uri(await get_document(http, openid_configuration), issuer)
    except ValueError:
        return _jwks_uri(await get_document(http, authorization_server), issuer)


async def find_status_lists(http: httpx.AsyncClient, issuer: str) -> list[str]:
    """The addresses of the issuer's status lists (Token Status List §9), none when it does not tell of any.

    Raises ValueError for documents that are not the issuer's own or make no sense; httpx.HTTPError when the issuer
    does not answer.
    """
    for address in _addresses(issuer):
        try:
            metadata = _metadata(await get_document(http, address), issuer)
        except NotThere:
            continue
        endpoint = metadata.get("status_list_aggregation_endpoint")
        if endpoint is not None:
            return _status_lists(await get_document(http, _url(endpoint, "status_list_aggregation_endpoint")))
    return []


def _addresses(issuer: str) -> tuple[str, str]:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration", well_known(issuer, "oauth-authorization-server")


def _metadata(document: bytes, issuer: str) -> dict[str, object]:
    metadata = parse_object(document)
    found = metadata.get("issuer")
    if found != issuer:
        named = quoted(found) if isinstance(found, str) else "no issuer"
        raise ValueError(f"the metadata names {named} where {quoted(issuer)} is expected, byte for byte")
    return metadata


def _jwks_uri(document: bytes, issuer: str) -> str:
    return _url(_metadata(document, issuer).get("jwks_uri"), "jwks_uri")


def _status_lists(document: bytes) -> list[str]:
    uris = parse_object(document).get("status_lists")
    if not isinstance(uris, list) or len(uris) > MAX_STATUS_LISTS:
        raise ValueError(f"the aggregation names no status_lists, or more than {MAX_STATUS_LISTS}")
    return [_url(uri, "status_lists") for uri in uris]


def _url(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the issuer's {name} is no URL")
    return check_url(value)
