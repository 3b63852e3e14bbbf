"""The hints for developers on the error page: one text for each reason."""

from tallystick.errors import OAuthError
from tallystick.refusal_reasons import Reason

HINTS: dict[Reason, str] = {
    "client_unknown": "Send the client_id of a client that is registered here and not disabled.",
    "redirect_uri_missing": "Send exactly one redirect_uri parameter.",
    "redirect_uri_unregistered": (
        "Register this redirect_uri for the client, or send one that is registered. The two are compared character by "
        "character, including scheme, port, path and a trailing slash. Only for a native or public client may the "
        "port of http://127.0.0.1 and http://[::1] differ."
    ),
    "post_logout_redirect_uri_unregistered": (
        "Register this address in the client's post_logout_redirect_uris. The two are compared character by character."
    ),
    "request_malformed": "Send the parameters as form-encoded UTF-8, each at most once.",
    "request_too_long": "Send fewer or shorter parameters: the authorization request is too long.",
    "signed_state_invalid": "Start a new authorization request: this form or link was not made by this service.",
    "form_expired": "Start a new authorization request: the form was open for longer than an hour.",
    "client_id_differs": "Send the client_id of the client that the id_token_hint was issued to, or leave it out.",
    "parameter_repeated": "Send each parameter at most once (RFC 6749, section 3.1).",
    "cross_origin_form": (
        "The browser sent the form with another Origin than the issuer of this service. Open the service by the "
        "address of its issuer; behind a proxy, check that the configured issuer is the public address."
    ),
    "csrf_token_wrong": "Start a new authorization request: the form belongs to another page or another login.",
    "client_changed": "Start a new authorization request: the client's registration changed while the page was open.",
    "login_session_ended": "Start a new authorization request: the login ended while the page was open.",
    "too_busy": "Nothing in the request is wrong. Send it again after the seconds in the Retry-After header.",
    "too_many_requests": "Send fewer requests; the Retry-After header has the seconds to wait.",
    "unavailable": "Nothing in the request is wrong. Send it again after the seconds in the Retry-After header.",
    "store_unavailable": "Nothing in the request is wrong: the database did not answer. Send it again later.",
}

_UNKNOWN = "Compare the request with the metadata of the client, and search the log for the request id."


def developer_hint(refusal: OAuthError) -> str:
    """One or more sentences, without any text of the request."""
    return HINTS.get(refusal.reason, _UNKNOWN)
