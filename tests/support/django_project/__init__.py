"""A Django project in the process of the tests. Importing this package configures Django, which is possible once.

Views and models are imported in functions only, or in modules that are imported after this one.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.test.utils import override_settings

from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

FOLDER = Path(tempfile.mkdtemp(prefix="tests-django-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

USER_FROM_CLAIMS = "tallystick.django.users.mapping.user_from_claims"

settings.configure(
    SECRET_KEY="a key for tests only",  # of the session of a signed-in browser
    ALLOWED_HOSTS=["api.example.com", "testserver"],
    ROOT_URLCONF="tests.support.django_project.urls",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "drf_spectacular",
        "tallystick.django",
        "tallystick.django.users",
        "tallystick.drf",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(FOLDER / "django.db"),
            "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
        }
    },
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TALLYSTICK={"ISSUER": ISSUER, "AUDIENCE": AUDIENCE},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["tallystick.drf.AccessTokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["tallystick.drf.HasScopes"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_THROTTLE_RATES": {"user": "2/min", "client": "3/min"},
    },
    SPECTACULAR_SETTINGS={"TITLE": "Tests", "VERSION": "1"},
    USE_TZ=True,
)
django.setup()


@contextmanager
def project_of(issuer: TokenIssuer, **options: Any) -> Iterator[None]:
    """The project accepts tokens of `issuer` during the block. `options` are keys of the setting TALLYSTICK."""
    good: dict[str, Any] = {
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "TRANSPORT": issuer.transport,
        "CLOCK": issuer.clock,
    }
    with override_settings(TALLYSTICK=good | options):
        yield


_settings_of_the_call: list[override_settings] = []


def select(issuer: str, audience: str, **options: Any) -> None:
    """Use these options, and the URLs in `adapter_urls`, until the next call with others or until `deselect`."""
    wanted = {"ISSUER": issuer, "AUDIENCE": audience} | {name.upper(): value for name, value in options.items()}
    if not _settings_of_the_call or wanted != settings.TALLYSTICK:
        deselect()
        override = override_settings(TALLYSTICK=wanted, ROOT_URLCONF=f"{__name__}.adapter_urls")
        override.enable()
        _settings_of_the_call.append(override)


def deselect() -> None:
    while _settings_of_the_call:
        _settings_of_the_call.pop().disable()


@cache
def migrated() -> None:
    call_command("migrate", verbosity=0)
