"""The `request.user` of an API that has no table of users."""

import base64
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from tallystick.claims import AccessTokenClaims


@dataclass(frozen=True)
class TokenUser:
    """The user or service that an access token is about. It is in no database, and has no Django permissions."""

    claims: AccessTokenClaims

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    @property
    def iss(self) -> str:
        return self.claims.iss

    @property
    def sub(self) -> str:
        return self.claims.sub

    @cached_property
    def pk(self) -> str:
        """A digest of `iss` and `sub` for cache keys, such as those of UserRateThrottle. Store `iss` and `sub` instead.

        A cache may refuse a long `sub` or one with a space.
        """
        return digest(self.iss, self.sub)

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return False

    def has_perms(self, permissions: object, obj: object = None) -> bool:
        return False

    def get_username(self) -> str:
        return self.sub

    def __str__(self) -> str:
        return self.sub


def digest(*texts: str) -> str:
    """22 characters that are safe in any cache key. The texts have no control characters."""
    return base64.urlsafe_b64encode(sha256("\n".join(texts).encode()).digest()[:16]).decode().rstrip("=")
