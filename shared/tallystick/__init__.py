"""Verify the access tokens of an issuer offline: the library that an API imports for single sign-on.

    from tallystick import Verifier

    verifier = Verifier(issuer="https://id.example.com", audience="https://api.example.com")
    claims = verifier.verify(token)

`tallystick.fastapi` protects a FastAPI app. `tallystick.protected_api` has what an adapter for another framework needs.
`tallystick.token_checker` checks a token without I/O, and `tallystick.remote` fetches keys and status lists.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "AccessTokenClaims": "tallystick.claims",
    "AsyncVerifier": "tallystick.verifier",
    "InvalidToken": "tallystick.errors",
    "TemporarilyUnavailable": "tallystick.errors",
    "Verifier": "tallystick.verifier",
}

__all__ = ["AccessTokenClaims", "AsyncVerifier", "InvalidToken", "TemporarilyUnavailable", "Verifier"]


def __getattr__(name: str) -> Any:
    """Import the module at the first use, because the auth service needs `tallystick.jwt` without httpx (PEP 562)."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'tallystick' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
