"""The scopes that OpenID Connect defines, and the claims of each (OIDC Core §3.1.2.1, §5.4, §11)."""

OIDC_SCOPE_DESCRIPTIONS = {
    "openid": "Know that it is you",
    "profile": "See your name and profile",
    "email": "See your email address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Stay signed in after you sign out here",
}
"""The text on the consent page for each scope."""

OIDC_SCOPES = frozenset(OIDC_SCOPE_DESCRIPTIONS)

SCOPE_CLAIMS = {
    "profile": (
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
        *("picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""The claims about a user, by the scope that releases them."""

CLAIM_SCOPES = {name: scope for scope, names in SCOPE_CLAIMS.items() for name in names}
"""The scope that releases each claim."""

ROLES = "roles"
"""The claim with a user's roles (RFC 9068 §2.2.3.1); it belongs to no scope."""

ID_TOKEN_CLAIMS = frozenset({*CLAIM_SCOPES, ROLES})
"""The claims about the user that a declared client's ID Tokens can have."""
