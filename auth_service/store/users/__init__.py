"""Users, login attempts, login sessions and consents."""
