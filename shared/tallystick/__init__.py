"""Verify the access tokens of an issuer offline: the library that an API imports for single sign-on.

`tallystick.fastapi` protects a FastAPI app. For other frameworks, `tallystick.access_token_request` has the order of
checks, `tallystick.verifier` checks a token without I/O, and `tallystick.remote` fetches keys and status lists.
"""
