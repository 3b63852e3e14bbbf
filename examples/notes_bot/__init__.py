"""Service to service: a program that calls the notes API as itself, by `client_credentials` (RFC 6749 §4.4)."""
