"""Find an issuer's keys, status lists and token endpoint by its metadata (OpenID Connect Discovery §4, RFC 8414)."""

import httpx

from tallystick.errors import quoted
from tallystick.remote.http import NotFound, get_json
from tallystick.remote.internal_url import Address, published
from tallystick.strict_json import parse_object
from tallystick.urls import check_url, well_known

MAX_STATUS_LISTS = 32
"""Lists of one issuer that are fetched, each in every round."""


async def find_jwks_uri(http: httpx.AsyncClient, issuer: str, address: Address = published) -> str:
    """The `jwks_uri` of the issuer. Raises as `find_token_endpoint` does."""
    return await _find_url(http, issuer, "jwks_uri", address)


async def find_token_endpoint(http: httpx.AsyncClient, issuer: str) -> str:
    """The `token_endpoint` from OpenID Connect Discovery §4, or else from RFC 8414 §3.

    Raises ValueError when neither document exists, names this issuer (RFC 8414 §3.3), and has a URL that keys and
    secrets may be exchanged with; httpx.HTTPError when the issuer does not respond.
    """
    return await _find_url(http, issuer, "token_endpoint")


async def find_status_lists(http: httpx.AsyncClient, issuer: str, address: Address = published) -> list[str]:
    """The URLs of the issuer's status lists (Token Status List §9). Empty when its metadata names none.

    Raises ValueError for malformed documents and for those of another issuer; httpx.HTTPError when the issuer does not
    respond.
    """
    for url in _metadata_urls(issuer):
        try:
            metadata = _parse_metadata(await get_json(http, address(url)), issuer)
        except NotFound:
            continue
        endpoint = metadata.get("status_list_aggregation_endpoint")
        if endpoint is not None:
            aggregation = _require_url(endpoint, "status_list_aggregation_endpoint")
            return _status_lists(await get_json(http, address(aggregation)))
    return []


def _metadata_urls(issuer: str) -> tuple[str, str]:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration", well_known(issuer, "oauth-authorization-server")


def _parse_metadata(document: bytes, issuer: str) -> dict[str, object]:
    metadata = parse_object(document)
    found = metadata.get("issuer")
    if found != issuer:
        named = quoted(found) if isinstance(found, str) else "no issuer"
        raise ValueError(f"the metadata names {named} where {quoted(issuer)} is expected, byte for byte")
    return metadata


async def _find_url(http: httpx.AsyncClient, issuer: str, name: str, address: Address = published) -> str:
    openid_configuration, authorization_server = _metadata_urls(issuer)
    try:
        return _url(await get_json(http, address(openid_configuration)), issuer, name)
    except ValueError:
        return _url(await get_json(http, address(authorization_server)), issuer, name)


def _url(document: bytes, issuer: str, name: str) -> str:
    return _require_url(_parse_metadata(document, issuer).get(name), name)


def _status_lists(document: bytes) -> list[str]:
    uris = parse_object(document).get("status_lists")
    if not isinstance(uris, list) or len(uris) > MAX_STATUS_LISTS:
        raise ValueError(f"the aggregation has no status_lists, or more than {MAX_STATUS_LISTS}")
    return [_require_url(uri, "status_lists") for uri in uris]


def _require_url(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the issuer's {name} is not a URL")
    return check_url(value)
