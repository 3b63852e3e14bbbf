"""Signing keys and the service's own secrets, encrypted before they come here.

Every row must be encrypted with the same master key. SQL cannot check that, so a unit of work that adds a row takes the
secrets that its caller has read and decrypted, as `expected_secrets`. Re-encryption replaces all of them in one unit:
if they are unchanged, the caller's master key is still the one in use. Otherwise the unit raises SecretsChanged and
adds nothing.
"""
