"""The code that the services share besides the verifier: store, server, metrics, ASGI middleware, settings."""
