"""The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1): those we sign with, and those of client assertions."""

from typing import Literal, get_args

SigningAlg = Literal["ES256", "RS256"]
"""Each has a signing key of its own. Access tokens are ES256. An ID Token is signed as its client is registered, and
OpenID Connect demands that RS256 be offered (OIDC Discovery §3)."""
SIGNING_ALGS: tuple[SigningAlg, ...] = get_args(SigningAlg)

AssertionAlg = Literal["ES256", "RS256", "PS256", "EdDSA"]
"""Those that a client may sign its assertions with (RFC 7523)."""
ASSERTION_ALGS: tuple[AssertionAlg, ...] = get_args(AssertionAlg)
