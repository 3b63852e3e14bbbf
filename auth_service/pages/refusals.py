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
        "The app that sent you here is not registered, or has been switched off. Its makers can mend that; you cannot."
    )


class MissingRedirectURI(PageRefusal):
    title = "The app did not say where to go back to"
    text = "The request has no redirect_uri, or more than one. Tell the app's makers, and sign in there another way."


class UnregisteredRedirectURI(PageRefusal):
    title = "We will not send you there"
    text = (
        "The app asked us to send you to an address that is not registered for it, by mistake or as an attack. "
        "Open the app from a link that you trust."
    )


class MalformedRequest(PageRefusal):
    title = "The request is damaged"
    text = "What the app sent is too long, or not properly encoded. Go back to the app and start again."


class FormExpired(PageRefusal):
    title = "This page was open for too long"
    text = "For your safety the form is valid for an hour. Go back to the app and start again."


class ForeignForm(PageRefusal):
    error = "access_denied"
    status = 403
    title = "This form did not come from our own page"
    text = (
        "Another site may have sent it without your knowing, so nothing was done. Go back to the app and start again."
    )


class LoginEnded(PageRefusal):
    error = "login_required"
    title = "You are not signed in any more"
    text = "Your login ended while this page was open, so nothing was done. Go back to the app and start again."


class UnregisteredPostLogoutRedirectURI(PageRefusal):
    title = "We will not send you there after signing out"
    text = "The app named an address that is not registered for it, so you are still signed in. Tell the app's makers."


class TooBusy(PageRefusal):
    error = "temporarily_unavailable"
    status = 503
    title = "We cannot do this right now"
    text = "Something that we need is away for a moment. Nothing is lost; wait a few seconds and try again."
