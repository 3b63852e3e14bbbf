"""Logout tokens: a client is told that a login session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

import secrets

TYP = "logout+jwt"
LIFETIME = 120
"""Seconds; "preferably at most two minutes"."""

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def claims_for(*, issuer: str, client_id: str, sub: str, sid: str, now: int) -> dict[str, object]:
    """Never a `nonce`: no logout token may pass for an ID Token (§2.4). `sid` is the one of the client's ID Tokens."""
    return {
        "iss": issuer,
        "sub": sub,
        "aud": client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": secrets.token_urlsafe(16),
        "sid": sid,
        "events": {EVENT: {}},
    }
