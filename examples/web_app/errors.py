"""AppError
├── SessionEnded                    the issuer or the API no longer accepts the session: back to the first page
├── SignInFailed                    the sign-in at the issuer failed: back to the first page, with the reason
├── ServiceUnavailable              503: the issuer or the API does not answer, or its response is invalid
├── InsufficientUserAuthentication  403: the API requires a more recent or a stronger login
├── RequestRefused                  403: the API accepted the token and refused the request
└── CrossSiteForm                   403: the form is not from a page of this app

Any module raises them; app.py turns them into pages. Their messages contain nothing from the request.
"""

from typing import ClassVar


class AppError(Exception):
    """`status`, `title` and `message` are those of the error page."""

    status: ClassVar[int] = 500
    title: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SessionEnded(AppError):
    def __init__(self) -> None:
        super().__init__("Your login has ended, perhaps because you signed out somewhere else. Sign in to continue.")


class SignInFailed(AppError):
    pass


class ServiceUnavailable(AppError):
    status = 503
    title = "Not available just now"

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} does not answer at the moment. Please try again shortly.")


class InsufficientUserAuthentication(AppError):
    """`parameters` of the authorization request for a sufficient login (RFC 9470 §4)."""

    status = 403
    title = "Please sign in again"

    def __init__(self, parameters: dict[str, str]) -> None:
        super().__init__("For this, you have to sign in again first.")
        self.parameters = parameters


class RequestRefused(AppError):
    status = 403
    title = "That was refused"


class CrossSiteForm(AppError):
    status = 403
    title = "That form was out of date"

    def __init__(self) -> None:
        super().__init__(
            "It did not come from a page of this app, or from an earlier login. Open the page again and retry."
        )
