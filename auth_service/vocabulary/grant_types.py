"""The values of `grant_type` (RFC 6749 §4.1.3, §4.4.2, §6). `auth_service.grants.GRANTS` has the function of each."""

from typing import Literal, get_args

GrantType = Literal["authorization_code", "refresh_token", "client_credentials"]
GRANT_TYPES: tuple[GrantType, ...] = get_args(GrantType)

SELF_REGISTERED_GRANT_TYPES: tuple[GrantType, ...] = ("authorization_code", "refresh_token")
"""The grants of a client that registered itself: those that act for a user who signed in."""
