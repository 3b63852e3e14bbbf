"""The setting TALLYSTICK, and the API that it describes."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from tallystick.django.api import Api
from tallystick.remote.options import VerifierOptions

_TEXTS = frozenset({"ISSUER", "AUDIENCE", "NAME", "AUTHORIZATION_ENDPOINT", "TOKEN_ENDPOINT", "JWKS_URI"})
_PATHS = frozenset({"JWKS_FILE", "STATUS_FILE"})
_CALLABLES = frozenset({"ON_VERDICT", "USER_FROM_CLAIMS", "CLOCK"})
_NAMES = frozenset(
    {*_TEXTS, *_PATHS, *_CALLABLES, "SCOPES", *(name.upper() for name in VerifierOptions.__annotations__)}
)


@cache
def project_api() -> Api:
    """The API of this project. Raises ImproperlyConfigured with one sentence for a missing or invalid setting."""
    options = getattr(settings, "TALLYSTICK", None)
    if not isinstance(options, Mapping):
        raise ImproperlyConfigured('the setting TALLYSTICK is missing: a dict with "ISSUER" and "AUDIENCE"')
    for name in ("ISSUER", "AUDIENCE"):
        if not options.get(name):
            raise ImproperlyConfigured(f'TALLYSTICK["{name}"] is missing')
    arguments = {name.lower(): _value(name, value) for name, value in options.items() if value is not None}
    try:
        return Api(**arguments)
    except (TypeError, ValueError) as reason:
        raise ImproperlyConfigured(f"TALLYSTICK: {reason}") from reason


def _value(name: object, value: Any) -> Any:
    if name not in _NAMES:
        raise ImproperlyConfigured(f"TALLYSTICK has an unknown key: {name!r}")
    if name in _TEXTS and not isinstance(value, str):
        raise ImproperlyConfigured(f'TALLYSTICK["{name}"] must be text, not {type(value).__name__}')
    if name in _PATHS:
        return Path(value)
    if name in _CALLABLES:
        return _callable(f'TALLYSTICK["{name}"]', value)
    return value


def _callable(name: str, value: Any) -> Callable[..., Any]:
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as reason:
            raise ImproperlyConfigured(f"{name} cannot be imported: {reason}") from reason
    if not callable(value):
        raise ImproperlyConfigured(f"{name} is a function or the dotted path of one")
    function: Callable[..., Any] = value
    return function


def _reset(*, setting: str, **_: Any) -> None:
    """Django sends the signal for `override_settings` in tests."""
    if setting == "TALLYSTICK":
        if project_api.cache_info().currsize:
            project_api().close()
        project_api.cache_clear()


setting_changed.connect(_reset, dispatch_uid="tallystick")
