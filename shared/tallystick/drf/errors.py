"""Refusals as exceptions of Django REST Framework, whose own handler renders them."""

from typing import Any

from rest_framework.exceptions import APIException

from tallystick.access_token_request import Refusal


class RequestRefused(APIException):
    """The framework's exception handler sets WWW-Authenticate from `auth_header`, and Retry-After from `wait`.

    It is no AuthenticationFailed, because the framework would replace the challenge of that by the one of the first
    authentication class, and drop it for 403.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.description)
        self.status_code = refusal.status
        self.auth_header = refusal.headers.get("WWW-Authenticate")
        retry_after = refusal.headers.get("Retry-After")
        self.wait = None if retry_after is None else int(retry_after)


def forbid_caching(view: Any) -> None:
    """Add Cache-Control to the response of `view`, whatever it will be. The exception handler cannot set it."""
    headers = getattr(view, "headers", None)
    if isinstance(headers, dict):
        headers["Cache-Control"] = "no-store"
