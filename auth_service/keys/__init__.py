"""Signing keys and the service's secrets: the master key, the key ring, rotation."""
