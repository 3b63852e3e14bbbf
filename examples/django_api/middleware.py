from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def head_without_body(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Django answers HEAD with the body of GET, which gunicorn reports as a fault of the app. Content-Length stays."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "HEAD" and not response.streaming:
            response.content = b""
        return response

    return middleware
