"""Logout tokens: they notify a client that a login session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

import secrets

TYP = "logout+jwt"
LIFETIME = 120
"""Seconds; §4 recommends at most two minutes."""

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_token_claims(*, issuer: str, client_id: str, sub: str, sid: str, now: int) -> dict[str, object]:
    """`sid` is the one of the client's ID Tokens. There is no `nonce`, so that no logout token passes for an ID Token
    (§2.4).
    """
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
