"""A service without a user: it calls the notes API with the grant `client_credentials` (RFC 6749 §4.4)."""
