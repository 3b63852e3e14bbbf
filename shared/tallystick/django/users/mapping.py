"""The user of an access token, created when its subject is first seen."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from tallystick.claims import AccessTokenClaims
from tallystick.django.users.models import MAX_LENGTH, Subject


def user_from_claims(claims: AccessTokenClaims) -> Any:
    """For the setting USER_FROM_CLAIMS. Several first requests at the same time create one user.

    The user has no password and a random username. None for a `sub` that is longer than the column.
    """
    if len(claims.iss) > MAX_LENGTH or len(claims.sub) > MAX_LENGTH:
        return None
    try:
        return _find(claims)
    except Subject.DoesNotExist:
        pass
    try:
        return _create(claims)
    except IntegrityError:  # another request has created it meanwhile; our user was rolled back
        return _find(claims)


def _find(claims: AccessTokenClaims) -> Any:
    subject = Subject.objects.select_related("user").get(iss=claims.iss, sub=claims.sub)
    # A database may compare without case. OIDC Core §2 does not.
    return subject.user if (subject.iss, subject.sub) == (claims.iss, claims.sub) else None


def _create(claims: AccessTokenClaims) -> Any:
    users = get_user_model()
    with transaction.atomic():
        user = users(**{users.USERNAME_FIELD: f"tallystick-{secrets.token_hex(12)}"})
        user.set_unusable_password()
        user.save()
        Subject.objects.create(iss=claims.iss, sub=claims.sub, user=user)
    return user
