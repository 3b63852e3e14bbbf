"""ASGI middleware and error handlers of the auth service."""
