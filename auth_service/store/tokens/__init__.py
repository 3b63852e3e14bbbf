"""Authorization codes, token families, refresh tokens and revocation."""
