"""What a person is told when their browser cannot be sent back to where it came from: one text for each kind.

PageRefusal
├── UnknownClient            ├── FormExpired
├── MissingRedirectURI       ├── ForeignForm
├── UnregisteredRedirectURI  ├── LoginEnded
├── MalformedRequest         ├── UnregisteredPostLogoutRedirectURI
└── TooBusy
"""

from typing import ClassVar

from tallystick.errors import OAuthError


class PageRefusal(OAuthError):
    """`title` and `text` are for the person; `error` is the OAuth code for whoever mends it.

    `again` is where the app begins anew, if it has said so.
    """

    error = "invalid_request"
    title: ClassVar[str] = "This did not work"
    text: ClassVar[str] = "The request could not be understood. Go back to the app and try again."

    def __init__(self, description: str = "", *, again: str | None = None) -> None:
        super().__init__(description)
        self.again = again


class UnknownClient(PageRefusal):
    error = "invalid_client"
    title = "We do not know this app"
    text = (
        "The app that sent you here is not registered with this sign-in service, or it has been turned off. "
        "You cannot fix this yourself. Please tell the people who run the app."
    )


class MissingRedirectURI(PageRefusal):
    title = "The app did not say where to go back to"
    text = "The request has no redirect_uri, or more than one. Please tell the people who run the app."


class UnregisteredRedirectURI(PageRefusal):
    title = "We will not send you there"
    text = (
        "The app asked us to send you to an address that is not registered for it. "
        "This can be a mistake or an attack. Open the app from a link that you trust."
    )


class MalformedRequest(PageRefusal):
    title = "We could not read this request"
    text = "What the app sent is too long, incomplete, or not encoded correctly. Go back to the app and start again."


class FormExpired(PageRefusal):
    title = "This page was open for too long"
    text = "For your safety this form works for one hour only. Go back to the app and start again."


class ForeignForm(PageRefusal):
    error = "access_denied"
    status = 403
    title = "This form did not come from our own page"
    text = (
        "Another website may have sent it without your knowledge. We did nothing. Go back to the app and start again."
    )


class LoginEnded(PageRefusal):
    error = "login_required"
    title = "You are no longer signed in"
    text = "Your login ended while this page was open, so we did nothing. Go back to the app and start again."


class UnregisteredPostLogoutRedirectURI(PageRefusal):
    title = "We will not send you there after signing out"
    text = (
        "The app named an address that is not registered for it, so you are still signed in. "
        "Please tell the people who run the app."
    )


class TooBusy(PageRefusal):
    error = "temporarily_unavailable"
    status = 503
    title = "We cannot do this right now"
    text = "A part of the sign-in service does not answer at the moment. Wait a few seconds, then try again."
