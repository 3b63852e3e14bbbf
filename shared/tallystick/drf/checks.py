"""A system check: every view with HasScopes declares its scopes, for each of its methods."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver, get_resolver

from tallystick.drf.permissions import HasScopes, requirement_of


def check_required_scopes(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Without it, the first request would find the fault: status 500 or 403."""
    faults = dict.fromkeys(fault for callback in _callbacks(get_resolver()) for fault in _faults(callback))
    return [Error(fault, id="tallystick.E002") for fault in faults]


def _callbacks(resolver: URLResolver) -> Iterator[Any]:
    """The views of the project that are classes of the framework."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _callbacks(pattern)
        elif hasattr(pattern.callback, "cls"):
            yield pattern.callback


def _faults(callback: Any) -> Iterator[str]:
    view = callback.cls(**callback.initkwargs)
    if not any(isinstance(each, type) and issubclass(each, HasScopes) for each in view.permission_classes):
        return
    actions = getattr(callback, "actions", None) or {}
    for method in actions or [name for name in view.http_method_names if hasattr(view, name)]:
        view.action = actions.get(method)
        try:
            requirement = requirement_of(view, method.upper())
        except ImproperlyConfigured as reason:
            yield str(reason)
            return
        if requirement is None:
            yield f"{type(view).__name__}.required_scopes has no entry for {view.action or method.upper()}"
