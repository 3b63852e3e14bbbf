"""The Django user of an access token, by the function in the setting USER_FROM_CLAIMS."""

import logging
from typing import Any

from django.db import InterfaceError, OperationalError

from tallystick.claims import AccessTokenClaims
from tallystick.django.configuration import project_api
from tallystick.errors import TemporarilyUnavailable

log = logging.getLogger(__name__)

RETRY_AFTER = 5
"""Seconds."""


def find_user(claims: AccessTokenClaims) -> Any:
    """The user, or None if there is none for these claims or it is inactive. Blocks for the database.

    Raises TemporarilyUnavailable if the database is unavailable.
    """
    user_from_claims = project_api().user_from_claims
    if user_from_claims is None:
        raise RuntimeError("the setting USER_FROM_CLAIMS is missing")
    try:
        user = user_from_claims(claims)
    except (OperationalError, InterfaceError) as error:
        log.warning("no user for an access token: the database is unavailable (%s)", type(error).__name__)
        raise TemporarilyUnavailable("the database is unavailable", retry_after=RETRY_AFTER) from error
    if user is None or not getattr(user, "is_active", True):
        reason = "no user" if user is None else "the user is inactive"
        log.warning("refused an access token of client %s: %s", claims.client_id, reason)
        return None
    return user
