"""The errors of a program that calls an API. None of them shows a secret, a token or a response body.

TokenError
├── TokenRequestRefused   the token endpoint answered with an OAuth error (RFC 6749 §5.2)
├── TokenUnavailable      it did not answer, or not with a token, or it asks to wait
└── WrongOrigin           a request goes to a server that the token is not for; it was not sent
"""


class TokenError(Exception):
    """The request to the API was not sent. A copy can be made, so that each waiting request raises its own."""


class TokenRequestRefused(TokenError):
    """`error` and `error_description` as in RFC 6749 §5.2, in printable ASCII. `status` is the HTTP status code."""

    def __init__(self, error: str, error_description: str, status: int) -> None:
        super().__init__(error, error_description, status)
        self.error = error
        self.error_description = error_description
        self.status = status

    def __str__(self) -> str:
        return f"{self.error}: {self.error_description or 'the token endpoint gave no reason'}"


class TokenUnavailable(TokenError):
    """`retry_after`: seconds that the token endpoint asked to wait, or None."""

    def __init__(self, description: str, retry_after: float | None = None) -> None:
        super().__init__(description, retry_after)
        self.description = description
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.description


class WrongOrigin(TokenError):
    """The text names the origin of the request and those that the token is for."""
