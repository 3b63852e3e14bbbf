"""How the API says no: problem details (RFC 9457), whoever refused."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NotRequired

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from tallystick.errors import OAuthError, TemporarilyUnavailable
from tallystick_service.asgi.allowed_methods import allowed_methods

MEDIA_TYPE = "application/problem+json"


class Fault(TypedDict):
    """One thing that is wrong with a request (RFC 9457 §3). One of `pointer` and `parameter` is there."""

    detail: str
    pointer: NotRequired[str]
    """A member of the body, as a JSON Pointer in a URI fragment."""
    parameter: NotRequired[str]
    """A parameter of the query, or a header."""


class Problem(TypedDict):
    """`title` goes with `status`; `detail` is about this one request."""

    type: str
    title: str
    status: int
    detail: NotRequired[str]
    errors: NotRequired[list[Fault]]


class Invalid(HTTPException):
    """The request can be read, but its content cannot be accepted."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(422, "the request has faults")
        self.faults = faults


def render_problems(app: FastAPI) -> None:
    """Let `app` answer every refusal, its framework's own included, as problem details.

    Call it before other middleware is added, which then stands around it.
    """
    for refusal in (StarletteHTTPException, RequestValidationError, OAuthError):
        app.add_exception_handler(refusal, _problem_response)
    # A handler for Exception would answer outside of all middleware: without CORS, request id and security headers.
    app.add_middleware(ServerErrorMiddleware, handler=_problem_response)


def faults_of(errors: Sequence[Any]) -> list[Fault]:
    """Pydantic's complaints, without the values that it complains of. A `loc` begins with "body", "query", "header"."""
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
            is_told_by_title = refusal.detail == HTTPStatus(refusal.status_code).phrase
            detail = None if is_told_by_title else refusal.detail
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
