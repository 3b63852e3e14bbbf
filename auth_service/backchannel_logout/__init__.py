"""Logout tokens and the task that delivers them (OpenID Connect Back-Channel Logout 1.0)."""
