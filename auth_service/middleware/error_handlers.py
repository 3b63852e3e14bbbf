"""Refusals are raised anywhere as an OAuthError; here they are logged, and answered as JSON or as a page."""

from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from auth_service.http.json_response import json_response
from auth_service.pages import page
from auth_service.pages.errors import MalformedRequest, PageRefusal, TooBusy
from auth_service.pages.reference import reference
from auth_service.pages.refusal_hints import hint_for
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import RefusalLog
from tallystick.access_token_request import challenge
from tallystick.errors import BearerError, InvalidClient, OAuthError, TemporarilyUnavailable
from tallystick.request_id import request_id
from tallystick_service.asgi.allowed_methods import allowed_methods

PAGES = frozenset({"/", "/authorize", "/login", "/consent", "/logout", "/logout/confirm"})


async def handle_oauth_error(request: Request, refusal: Exception) -> Response:
    """The exception handler for OAuthError."""
    assert isinstance(refusal, OAuthError)  # noqa: S101
    metrics: AuthMetrics = request.app.state.metrics
    metrics.refusals.inc(metrics.requests.endpoint(request.scope), refusal.error or "none")
    log: RefusalLog = request.app.state.refusal_log
    headers = _headers(refusal)
    if request.scope["path"] not in PAGES:
        log.write(request.scope, refusal, status=refusal.status)
        body = {"error": refusal.error, "error_description": refusal.description}
        return json_response({name: text for name, text in body.items() if text}, refusal.status, headers)
    shown = _for_a_person(refusal)
    log.write(request.scope, refusal, status=shown.status)
    return page(
        "error",
        status=shown.status,
        headers=headers,
        error=refusal.error,
        reason=refusal.reason,
        hint=hint_for(refusal),
        title=shown.title,
        text=shown.text,
        again=shown.again,
        unchecked_target=shown.unchecked_target,
        reference=reference(request_id.get()),
        request_id=request_id.get(),
    )


async def handle_http_exception(request: Request, refusal: Exception) -> Response:
    """The exception handler for what the framework refuses: no such page, no such method."""
    assert isinstance(refusal, HTTPException)  # noqa: S101
    if refusal.status_code == 405:
        return json_response({"error": "invalid_request"}, 405, {"Allow": allowed_methods(request)})
    body = {"error": "not_found" if refusal.status_code == 404 else "invalid_request"}
    if refusal.detail != HTTPStatus(refusal.status_code).phrase:  # more than the status says
        body["error_description"] = refusal.detail
    return json_response(body, refusal.status_code, refusal.headers)


def _headers(refusal: OAuthError) -> dict[str, str]:
    if isinstance(refusal, InvalidClient):
        return {"WWW-Authenticate": 'Basic realm="token endpoint", charset="UTF-8"'}  # RFC 6749 §5.2
    if isinstance(refusal, BearerError):
        return {"WWW-Authenticate": challenge(refusal)}
    if isinstance(refusal, TemporarilyUnavailable):  # TooManyRequests, too
        return {"Retry-After": str(refusal.retry_after)}
    return {}


def _for_a_person(refusal: OAuthError) -> PageRefusal:
    if isinstance(refusal, PageRefusal):
        return refusal
    return TooBusy() if isinstance(refusal, TemporarilyUnavailable) else MalformedRequest()
