"""Signing keys and the service's own secrets: encryption, rotation, and the key ring of a process."""
