"""The notes API: a resource server with its own database, which verifies the issuer's access tokens offline."""
