"""The texts for users on error pages: one text for each reason that can be shown on a page."""

from dataclasses import dataclass

from tallystick.errors import OAuthError, TemporarilyUnavailable
from tallystick.refusal_reasons import Reason


@dataclass(frozen=True)
class ErrorText:
    title: str
    text: str


_TELL_THE_DEVELOPERS = "Only the app's developers can fix this. Please tell them."

_CROSS_ORIGIN = ErrorText(
    "This form did not come from our own page",
    "Another website may have sent it without your knowledge. Nothing was done. Go back to the app and start again.",
)

_TEXTS: dict[Reason, ErrorText] = {
    "client_unknown": ErrorText(
        "We do not know this app",
        "The app that sent you here is not registered with this sign-in service, or it was turned off. "
        + _TELL_THE_DEVELOPERS,
    ),
    "redirect_uri_missing": ErrorText(
        "The app did not say where to go back to", f"The request has no redirect_uri. {_TELL_THE_DEVELOPERS}"
    ),
    "redirect_uri_unregistered": ErrorText(
        "We will not send you there",
        "The app asked us to send you to an address that is not registered for it. "
        "This can be a mistake or an attack. Open the app from a link that you trust.",
    ),
    "parameter_repeated": ErrorText(
        "The app sent the same thing twice",
        "The request has a parameter more than once, so we cannot tell which value the app meant. "
        + _TELL_THE_DEVELOPERS,
    ),
    "form_expired": ErrorText(
        "This page was open for too long",
        "For your safety, this page works for one hour only. Nothing was done. Start again here, or in the app.",
    ),
    "login_session_ended": ErrorText(
        "You are no longer signed in",
        "Your login ended while this page was open. Nothing was done. Go back to the app and start again.",
    ),
    "cross_origin_form": _CROSS_ORIGIN,
    "csrf_token_wrong": _CROSS_ORIGIN,
    "client_changed": ErrorText(
        "The app has changed",
        "The app changed its description while this page was open, so nothing was allowed. "
        "Start again, and read what the app asks for.",
    ),
    "client_id_differs": ErrorText(
        "The request comes from two different apps",
        "One app asked to sign you out, but the login in the request belongs to another app. Nothing was done. "
        "To sign out, use the app that you signed in to.",
    ),
}

_UNREADABLE = ErrorText(
    "We could not read this request",
    "The request of the app is too long, incomplete, or not encoded correctly. Go back to the app and start again.",
)

_UNAVAILABLE = ErrorText(
    "We cannot do this right now",
    "A part of the sign-in service does not answer at the moment. Wait a few seconds, then try again.",
)


def error_text(refusal: OAuthError) -> ErrorText:
    if isinstance(refusal, TemporarilyUnavailable):
        return _UNAVAILABLE
    return _TEXTS.get(refusal.reason, _UNREADABLE)
