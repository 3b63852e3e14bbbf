"""The values of the `acr` claim (OIDC Core §2): absolute URIs from a public standard."""

PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105
"""A password over a protected connection."""

ACR_VALUES = (PASSWORD,)
"""All values that this service can reach, the strongest last."""
