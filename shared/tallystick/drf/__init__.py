"""Protect an API of Django REST Framework in three lines.

INSTALLED_APPS = [..., "tallystick.drf"]
TALLYSTICK = {"ISSUER": "https://id.example.com", "AUDIENCE": "https://api.example.com"}
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["tallystick.drf.AccessTokenAuthentication"],
                  "DEFAULT_PERMISSION_CLASSES": ["tallystick.drf.HasScopes"]}

class NoteList(APIView):
    required_scopes = {"GET": ["notes:read"], "POST": ["notes:write"]}
"""

from tallystick.access_token_request import Requirement
from tallystick.drf.authentication import AccessTokenAuthentication
from tallystick.drf.permissions import HasScopes
from tallystick.drf.user import TokenUser

__all__ = ["AccessTokenAuthentication", "HasScopes", "Requirement", "TokenUser"]
