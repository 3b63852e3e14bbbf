"""One endpoint twice in a project of Django REST Framework: open, and protected. For gunicorn, with ISSUER."""

import os

import django
from django.conf import settings

from bench.services import AUDIENCE

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF="bench.servers.guarded_drf_urls",
    INSTALLED_APPS=["rest_framework", "tallystick.drf"],
    TALLYSTICK={"ISSUER": os.environ["ISSUER"], "AUDIENCE": AUDIENCE},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["tallystick.drf.AccessTokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["tallystick.drf.HasScopes"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
