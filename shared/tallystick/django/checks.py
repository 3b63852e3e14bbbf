"""System checks (`manage.py check`, `migrate` and `runserver` run them). Errors stop the command."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.urls import Resolver404, resolve

from tallystick.django.configuration import project_api
from tallystick.django.views import protected_resource_metadata


def check_metadata_url(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The project serves the metadata that its challenges refer to (RFC 9728 §3.1)."""
    path = project_api().metadata_path
    if path is None:
        return []
    try:
        is_served = resolve(path).func is protected_resource_metadata
    except Resolver404:
        is_served = False
    if is_served:
        return []
    return [
        Warning(
            f"No URL of this project serves the protected resource metadata at {path}.",
            hint='Add path("", include("tallystick.django.urls")) to the root URLconf.',
            id="tallystick.W001",
        )
    ]


def check_user_mapping(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The table of the shipped user mapping exists if it is used."""
    mapping = project_api().user_from_claims
    if mapping is None or not mapping.__module__.startswith("tallystick.django.users"):
        return []
    if apps.is_installed("tallystick.django.users"):
        return []
    return [
        Error(
            'TALLYSTICK["USER_FROM_CLAIMS"] needs the app "tallystick.django.users" in INSTALLED_APPS.',
            id="tallystick.E001",
        )
    ]
