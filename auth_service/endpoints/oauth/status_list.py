"""GET /status-lists and /status-lists/1: revocations, for APIs that verify offline (Token Status List §8, §9)."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from auth_service.endpoints.dependencies import IssuerUrl, StatusListPublisherDep
from auth_service.http.entity_tag import matches_if_none_match
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses
from auth_service.http.raw_route import RawRoute
from auth_service.http.route_traits import ANY_ORIGIN
from auth_service.status_list.status_list_token import MEDIA_TYPE, status_list_uri
from auth_service.vocabulary.timing import STATUS_LIST_MAX_AGE
from tallystick_service.asgi.request_id import POLLED

router = APIRouter(tags=["Metadata"], route_class=RawRoute)

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The list that If-None-Match names."}}


@router.get("/status-lists", response_class=Response)
@POLLED
@ANY_ORIGIN
async def status_lists(issuer: IssuerUrl) -> Response:
    """The URIs of the status lists (Token Status List §9.3)."""
    return json_response({"status_lists": [status_list_uri(issuer)]}, headers={"Cache-Control": "public, max-age=60"})


@router.get("/status-lists/1", response_class=Response, responses=_UNCHANGED | error_responses(501, 503))
@POLLED
@ANY_ORIGIN
async def status_list(request: Request, publisher: StatusListPublisherDep) -> Response:
    """The status list: signed and compressed. A revocation is in it within a second.

    Earlier lists are not kept: with `time` in the query the answer is 501 (Token Status List §8.4).
    """
    if "time" in request.query_params:
        raise HTTPException(501, "earlier lists are not kept")
    published = publisher.published
    etag = f'"{published.iat}"'  # no two lists have the same iat
    headers = {"Cache-Control": f"public, max-age={STATUS_LIST_MAX_AGE}", "ETag": etag}
    if matches_if_none_match(etag, request.headers.getlist("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(published.token, headers=headers, media_type=MEDIA_TYPE)
