"""How users are authenticated, as `acr` tells it (OIDC Core §2): absolute URIs that others know, too."""

PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105
"""By a password, over a protected connection."""

ACR_VALUES = (PASSWORD,)
"""All that we can answer with, the strongest last."""
