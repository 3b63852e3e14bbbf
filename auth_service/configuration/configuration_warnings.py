"""Warnings about settings that are valid but misleading. `plan`, `apply` and `serve` print them."""

from collections.abc import Iterator

from auth_service.client_metadata.redirect_uris import leads_to_the_device
from auth_service.settings.declarations import DeclaredClient
from auth_service.settings.settings import Settings
from tallystick_service.settings import Misconfigured, resolve_secret
from tallystick_service.settings.secrets import exposed_mode

SAFE_KEY_AHEAD = 60
"""Seconds after which common JWT libraries have fetched a new signing key: some wait 30 between two requests."""

_TOO_SHORT_AHEAD = (
    "lifetimes.signing_key_ahead is {}: APIs that use PyJWT or jose refuse the tokens of a new key for up to 20 s,"
    " because they look for an unknown key every 30 s only; 60 and more is safe"
)


def config_warnings(settings: Settings) -> list[str]:
    """One line for each warning, without secrets."""
    ahead = settings.lifetimes.signing_key_ahead
    return [
        *([] if ahead >= SAFE_KEY_AHEAD else [_TOO_SHORT_AHEAD.format(ahead)]),
        *_file_warnings(settings),
        *(warning for client in settings.client for warning in _client_warnings(client)),
    ]


def _file_warnings(settings: Settings) -> Iterator[str]:
    references = {
        "master_key": settings.master_key,
        "database_url": settings.database_url,
        "registration.initial_access_token": settings.registration.initial_access_token,
        **{f"the client_secret of {client.client_id}": client.client_secret for client in settings.client},
    }
    for name, reference in references.items():
        kind, _, path = (reference or "").partition(":")
        mode = exposed_mode(path) if kind == "file" else None
        if mode is not None:
            yield f"{name}: users other than its owner can access the file {path} (mode {mode}); chmod 600 {path}"


def _client_warnings(client: DeclaredClient) -> Iterator[str]:
    on_the_device = [uri for uri in client.redirect_uris if leads_to_the_device(uri)]
    if client.first_party and client.is_public and on_the_device:
        yield (
            f"client {client.client_id}: first_party has no effect at {on_the_device[0]}: the user is asked each time, "
            "because any program on the device could impersonate a public client (RFC 8252 §8.6); for a client "
            "with a secret, the user is not asked"
        )
    if client.token_endpoint_auth_method == "client_secret_basic" and _needs_form_encoding(client.client_secret or ""):  # noqa: S105
        yield (
            f"client {client.client_id}: the client_secret contains + or %, which must be form-encoded in HTTP Basic "
            "(RFC 6749 §2.3.1); this service accepts it unencoded as well, others may not; safe are A-Z a-z 0-9 - _ ."
        )


def _needs_form_encoding(reference: str) -> bool:
    try:
        return not {"+", "%"}.isdisjoint(resolve_secret(reference))
    except Misconfigured:  # reported when the secret is used
        return False
