"""Every error response of the API is problem details (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NotRequired

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from tallystick.errors import OAuthError, TemporarilyUnavailable
from tallystick_service.asgi.allowed_methods import allowed_methods

MEDIA_TYPE = "application/problem+json"


class Fault(TypedDict):
    """One fault of a request (RFC 9457 §3). It has either `pointer` or `parameter`."""

    detail: str
    pointer: NotRequired[str]
    """A member of the body, as a JSON Pointer in a URI fragment."""
    parameter: NotRequired[str]
    """A parameter of the query, or a header."""


class Problem(TypedDict):
    """`title` is the phrase of `status`; `detail` describes this request."""

    type: str
    title: str
    status: int
    detail: NotRequired[str]
    errors: NotRequired[list[Fault]]


class Invalid(HTTPException):
    """The request is well-formed, but its content is invalid."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(422, "the request has faults")
        self.faults = faults


def render_problems(app: FastAPI) -> None:
    """Render every error of `app`, including those of the framework, as problem details.

    Call it before other middleware is added, so that the other middleware is outside.
    """
    for refusal in (StarletteHTTPException, RequestValidationError, OAuthError):
        app.add_exception_handler(refusal, _problem_response)
    # A handler for Exception would be outside of all middleware: without CORS, request id and security headers.
    app.add_middleware(ServerErrorMiddleware, handler=_problem_response)


def faults_of(errors: Sequence[Any]) -> list[Fault]:
    """Pydantic's errors without the invalid values. A `loc` begins with "body", "query" or "header"."""
    faults = []
    for error in errors:
        place, *path = (str(part) for part in error["loc"])
        if place == "body":
            pointer = "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
            faults.append(Fault(detail=error["msg"], pointer=pointer))
        else:
            faults.append(Fault(detail=error["msg"], parameter=".".join(path)))
    return faults


async def _problem_response(request: Request, refusal: Exception) -> JSONResponse:
    match refusal:
        case Invalid():
            return _render(422, refusal.detail, errors=list(refusal.faults))
        case RequestValidationError():
            return _render(422, "the request has faults", errors=faults_of(refusal.errors()))
        case StarletteHTTPException(status_code=405):
            return _render(405, None, {"Allow": allowed_methods(request)})
        case StarletteHTTPException():
            is_title = refusal.detail == HTTPStatus(refusal.status_code).phrase
            detail = None if is_title else refusal.detail
            return _render(refusal.status_code, detail, refusal.headers)
        case TemporarilyUnavailable():
            return _render(503, refusal.description, {"Retry-After": str(refusal.retry_after)})
        case OAuthError():
            return _render(refusal.status, refusal.description)
        case _:
            return _render(500, None)


def _render(
    status: int, detail: str | None, headers: Mapping[str, str] | None = None, *, errors: list[Fault] | None = None
) -> JSONResponse:
    problem = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status)
    if detail:
        problem["detail"] = detail
    if errors:
        problem["errors"] = errors
    return JSONResponse(problem, status, {"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE)
