"""Rate limits on unauthenticated callers."""
