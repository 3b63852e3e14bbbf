"""A rate limit for each client. UserRateThrottle of the framework limits each user."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from tallystick.claims import AccessTokenClaims
from tallystick.drf.user import digest


class ClientRateThrottle(SimpleRateThrottle):
    """Counts the requests of each `client_id`, for all its users together. The rate is that of the scope `client`."""

    scope = "client"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """None without an access token: use AnonRateThrottle for these."""
        if not isinstance(request.auth, AccessTokenClaims):
            return None
        ident = digest(request.auth.iss, request.auth.client_id)
        key: str = self.cache_format % {"scope": self.scope, "ident": ident}
        return key
