"""Signing keys and secrets, encrypted."""
