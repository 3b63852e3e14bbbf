"""The half of single sign-on that every API imports: believe an issuer's access tokens, by its public keys alone.

`tallystick.fastapi` protects a FastAPI app. Beneath it, for other frameworks: `tallystick.access_token_request`,
`tallystick.verifier`, `tallystick.remote.issuer`.
"""
