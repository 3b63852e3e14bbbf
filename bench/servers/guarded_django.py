"""A Django project with a plain view that `tallystick.django` protects. For gunicorn, with ISSUER."""

import os

import django
from django.conf import settings

from bench.services import AUDIENCE

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF="bench.servers.guarded_django_urls",
    INSTALLED_APPS=["tallystick.django"],
    TALLYSTICK={"ISSUER": os.environ["ISSUER"], "AUDIENCE": AUDIENCE},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
