"""Turn errors into responses: JSON for programs, an HTML page for people. Each refusal is logged and counted."""

from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from auth_service.http.json_response import json_response
from auth_service.http.route_traits import PAGE
from auth_service.pages import page
from auth_service.pages.developer_hints import developer_hint
from auth_service.pages.error_texts import error_text
from auth_service.pages.errors import PageError
from auth_service.pages.reference import reference
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import RefusalLog
from tallystick.access_token_request import challenge
from tallystick.errors import BearerError, InvalidClient, OAuthError, TemporarilyUnavailable
from tallystick.request_id import request_id
from tallystick_service.asgi.allowed_methods import allowed_methods


class ErrorHandlers:
    """Exception handlers for FastAPI."""

    def __init__(self, metrics: AuthMetrics, refusal_log: RefusalLog) -> None:
        self._metrics = metrics
        self._refusal_log = refusal_log

    async def handle_oauth_error(self, request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, OAuthError)  # noqa: S101
        self._metrics.refusals.inc(self._metrics.requests.endpoint(request.scope), refusal.error or "none")
        self._refusal_log.write(request.scope, refusal, status=refusal.status)
        headers = _headers(refusal)
        if PAGE.is_on(request.scope):
            return _error_page(refusal, headers)
        body = {"error": refusal.error, "error_description": refusal.description}
        return json_response({name: text for name, text in body.items() if text}, refusal.status, headers)

    async def handle_http_exception(self, request: Request, refusal: Exception) -> Response:
        """For errors that FastAPI raises, such as an unknown path or method."""
        assert isinstance(refusal, HTTPException)  # noqa: S101
        if refusal.status_code == 405:
            return json_response({"error": "invalid_request"}, 405, {"Allow": allowed_methods(request)})
        body = {"error": "not_found" if refusal.status_code == 404 else "invalid_request"}
        if refusal.detail != HTTPStatus(refusal.status_code).phrase:  # the phrase would only repeat the status
            body["error_description"] = refusal.detail
        return json_response(body, refusal.status_code, refusal.headers)


def _headers(refusal: OAuthError) -> dict[str, str]:
    if isinstance(refusal, InvalidClient):
        return {"WWW-Authenticate": 'Basic realm="token endpoint", charset="UTF-8"'}  # RFC 6749 §5.2
    if isinstance(refusal, BearerError):
        return {"WWW-Authenticate": challenge(refusal)}
    if isinstance(refusal, TemporarilyUnavailable):  # and its subclass TooManyRequests
        return {"Retry-After": str(refusal.retry_after)}
    return {}


def _error_page(refusal: OAuthError, headers: dict[str, str]) -> Response:
    shown = error_text(refusal)
    return page(
        "error",
        status=refusal.status,
        headers=headers,
        error=refusal.error,
        reason=refusal.reason,
        hint=developer_hint(refusal),
        title=shown.title,
        text=shown.text,
        restart_url=refusal.restart_url if isinstance(refusal, PageError) else None,
        unvetted_host=refusal.unvetted_host if isinstance(refusal, PageError) else None,
        reference=reference(request_id.get()),
        request_id=request_id.get(),
    )
