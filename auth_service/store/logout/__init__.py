"""Logout tokens that wait for their delivery."""
