"""The scopes that are OpenID Connect's own, and no API's, and the claims they tell (OIDC Core §3.1.2.1, §5.4, §11)."""

OIDC_SCOPE_DESCRIPTIONS = {
    "openid": "Know that it is you",
    "profile": "See your name and profile",
    "email": "See your email address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Stay signed in after you sign out here",
}
"""With what the user is told that each of them allows."""

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
"""What is known of a user, by the scope that a user is asked for before it is told."""

CLAIM_SCOPES = {name: scope for scope, names in SCOPE_CLAIMS.items() for name in names}
"""The same from the other side: the scope to which each claim belongs."""

ROLES = "roles"
"""The claim with a user's roles (RFC 9068 §2.2.3.1); it belongs to no scope."""

ID_TOKEN_CLAIMS = frozenset({*CLAIM_SCOPES, ROLES})
"""What a declared client's ID Tokens can hold besides the protocol's claims."""
