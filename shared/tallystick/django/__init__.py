"""Protect a Django project in three lines. Django REST Framework has an adapter of its own, `tallystick.drf`.

INSTALLED_APPS = [..., "tallystick.django"]
TALLYSTICK = {"ISSUER": "https://id.example.com", "AUDIENCE": "https://api.example.com"}

@requires("notes:read")
def notes(request): ...  # request.claims has the verified claims
"""

from tallystick.django.decorators import requires
from tallystick.django.middleware import AccessTokenMiddleware

__all__ = ["AccessTokenMiddleware", "requires"]
