"""The error pages for refusals that cannot be sent back to the client: one text for each kind.

PageRefusal
├── UnknownClient            ├── FormExpired
├── MissingRedirectURI       ├── CrossOriginForm
├── UnregisteredRedirectURI  ├── LoginEnded
├── MalformedRequest         ├── DifferentClients
├── ParameterRepeated        ├── ClientChanged
└── TooBusy
"""

from typing import ClassVar

from tallystick.errors import OAuthError
from tallystick.refusal_reasons import Reason


class PageRefusal(OAuthError):
    """`title` and `text` are for the person; `error` and `reason` are for the app's developers.

    `again` is the client's initiate_login_uri, if it registered one; `unchecked_target` its host, if the client
    registered itself.
    """

    error = "invalid_request"
    reason: Reason = "request_malformed"
    title: ClassVar[str] = "This did not work"
    text: ClassVar[str] = "The request could not be understood. Go back to the app and try again."

    def __init__(
        self,
        description: str = "",
        *,
        again: str | None = None,
        unchecked_target: str | None = None,
        reason: Reason | None = None,
    ) -> None:
        super().__init__(description, reason=reason)
        self.again = again
        self.unchecked_target = unchecked_target


class UnknownClient(PageRefusal):
    reason: Reason = "client_unknown"
    error = "invalid_client"
    title = "We do not know this app"
    text = (
        "The app that sent you here is not registered with this sign-in service, or it has been turned off. "
        "You cannot fix this yourself. Please tell the people who run the app."
    )


class MissingRedirectURI(PageRefusal):
    reason: Reason = "redirect_uri_missing"
    title = "The app did not say where to go back to"
    text = "The request has no redirect_uri. Please tell the people who run the app."


class UnregisteredRedirectURI(PageRefusal):
    reason: Reason = "redirect_uri_unregistered"
    title = "We will not send you there"
    text = (
        "The app asked us to send you to an address that is not registered for it. "
        "This can be a mistake or an attack. Open the app from a link that you trust."
    )


class MalformedRequest(PageRefusal):
    title = "We could not read this request"
    text = "What the app sent is too long, incomplete, or not encoded correctly. Go back to the app and start again."


class ParameterRepeated(PageRefusal):
    """`description` names the parameter."""

    reason: Reason = "parameter_repeated"
    title = "The app sent the same thing twice"
    text = (
        "A parameter of the request is there more than once, so we cannot tell which value the app meant. "
        "Please tell the people who run the app."
    )


class FormExpired(PageRefusal):
    """`query` is the request that the form carried, which can be answered anew."""

    reason: Reason = "form_expired"
    title = "This page was open for too long"
    text = "For your safety this form works for one hour only, so we did nothing. Start again here, or in the app."

    def __init__(self, query: str, *, again: str, unchecked_target: str | None = None) -> None:
        super().__init__(again=again, unchecked_target=unchecked_target)
        self.query = query


class CrossOriginForm(PageRefusal):
    reason: Reason = "cross_origin_form"
    error = "access_denied"
    status = 403
    title = "This form did not come from our own page"
    text = (
        "Another website may have sent it without your knowledge. We did nothing. Go back to the app and start again."
    )


class ClientChanged(PageRefusal):
    reason: Reason = "client_changed"
    error = "access_denied"
    status = 403
    title = "The app has changed"
    text = (
        "The app changed what it says about itself while this page was open, so nothing was allowed. "
        "Start again, and check what you are asked."
    )


class LoginEnded(PageRefusal):
    reason: Reason = "login_session_ended"
    error = "login_required"
    title = "You are no longer signed in"
    text = "Your login ended while this page was open, so we did nothing. Go back to the app and start again."


class DifferentClients(PageRefusal):
    reason: Reason = "client_id_differs"
    title = "The request comes from two different apps"
    text = (
        "One app asked to sign you out, and showed a login of another app. We did nothing. "
        "To sign out, use the app that you signed in to."
    )


class TooBusy(PageRefusal):
    reason: Reason = "too_busy"
    error = "temporarily_unavailable"
    status = 503
    title = "We cannot do this right now"
    text = "A part of the sign-in service does not answer at the moment. Wait a few seconds, then try again."
