"""The scopes that are OpenID Connect's own, and no API's (OIDC Core §3.1.2.1, §5.4, §11)."""

OIDC_SCOPE_TEXTS = {
    "openid": "Know that it is you",
    "profile": "See your name and profile",
    "email": "See your email address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Stay signed in after you sign out here",
}
"""With what the user is told that each of them allows."""

OIDC_SCOPES = frozenset(OIDC_SCOPE_TEXTS)
