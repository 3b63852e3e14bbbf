"""The settings of the Django project. The demo's values are the defaults."""

import os

TALLYSTICK = {
    "ISSUER": os.environ.get("ISSUER", "http://localhost:8000"),
    "AUDIENCE": os.environ.get("AUDIENCE", "http://localhost:8001"),
    "NAME": "Notes",
    "SCOPES": {"notes:read": "Read your notes", "notes:write": "Create, change and delete your notes"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tallystick.drf.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tallystick.drf.HasScopes"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["examples.django_api.parsers.StrictJSONParser"],
    "UNAUTHENTICATED_USER": None,  # this project does without django.contrib.auth
}
SPECTACULAR_SETTINGS = {"TITLE": "Notes", "VERSION": "1.0.0", "SERVE_PERMISSIONS": []}

INSTALLED_APPS = ["rest_framework", "drf_spectacular", "tallystick.drf", "examples.django_api.notes"]
MIDDLEWARE = [
    "examples.django_api.middleware.head_without_body",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "examples.django_api.urls"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", "var/django-notes.db"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = WAL", "timeout": 20},
    }
}
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "tallystick": {"handlers": ["console"], "level": "INFO"},
        "django": {"handlers": ["console"], "level": "ERROR"},  # the cause of a 500; the default is mail to the admins
    },
}
