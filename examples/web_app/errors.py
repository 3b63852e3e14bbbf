"""Trouble
├── SessionEnded   the issuer or the API no longer accepts what we hold: back to the first page, kindly
├── SignInFailed   the way through the issuer came to no good end: back to the first page, with a reason
├── Unreachable    503: the other side is away, or answers what we cannot use
├── InsufficientUserAuthentication  403: the API wants a fresher or a stronger login for this
├── Refused        403: the API took the token, but not the request
└── Forged         403: a form that did not come from our own page

Raised anywhere, turned into pages in app.py. What stands in them is ours: nothing that came in a URL is shown.
"""

from typing import ClassVar


class Trouble(Exception):
    status: ClassVar[int] = 500
    title: ClassVar[str]

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class SessionEnded(Trouble):
    def __init__(self) -> None:
        super().__init__("Your login has ended, perhaps because you signed out somewhere else. Sign in to go on.")


class SignInFailed(Trouble):
    pass


class Unreachable(Trouble):
    status = 503
    title = "Not available just now"

    def __init__(self, who: str) -> None:
        super().__init__(f"{who} does not answer at the moment. Please try again shortly.")


class InsufficientUserAuthentication(Trouble):
    """`asked` are the parameters with which to send the browser to the issuer (RFC 9470 §4)."""

    status = 403
    title = "Please sign in again"

    def __init__(self, asked: dict[str, str]) -> None:
        super().__init__("For this, you have to sign in again first.")
        self.asked = asked


class Refused(Trouble):
    status = 403
    title = "That was refused"


class Forged(Trouble):
    status = 403
    title = "That form was out of date"

    def __init__(self) -> None:
        super().__init__(
            "It did not come from a page of this app, or from an earlier login. Open the page again and retry."
        )
