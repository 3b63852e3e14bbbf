"""A table that links the subjects of access tokens to Django users, with the function that fills it.

INSTALLED_APPS = [..., "tallystick.django.users"]
TALLYSTICK = {..., "USER_FROM_CLAIMS": "tallystick.django.users.mapping.user_from_claims"}
"""
