"""Logout tokens, which say that a login has ended (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from typing import Annotated, Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, StringConstraints

from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.settings import Settings
from tallystick.clock import Clock

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYP = ("logout+jwt", "application/logout+jwt")
LEEWAY = 60
"""Seconds by which the issuer's clock may be wrong."""
MAX_AGE = 300
"""Seconds after its `iat` at which a token is too old, for any `exp`. Its `jti` is remembered for that time."""
MAX_LENGTH = 8192
"""Characters of a token."""

# Unknown headers are ignored (RFC 7515 §4), except `crit`, which joserfc checks.
_JWS = JWSRegistry(algorithms=["ES256", "RS256"], strict_check_header=False)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class InvalidLogoutToken(Exception):
    """The text is a reason for the log, without anything from the token."""


class LogoutToken(BaseModel):
    """The claims of a verified token. It has `sid` or `sub` or both."""

    model_config = ConfigDict(frozen=True, strict=True)

    iat: int
    exp: int
    jti: _Name
    events: dict[str, Any]
    sid: _Name | None = None
    sub: _Name | None = None

    @property
    def forget_at(self) -> int:
        """When the token is too old for any clock, in Unix seconds: its `jti` may be forgotten."""
        return self.iat + MAX_AGE + LEEWAY + 1


class LogoutTokens:
    def __init__(self, settings: Settings, clock: Clock, provider: OpenIDProvider) -> None:
        self._provider = provider
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            clock,
            LEEWAY,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
        )

    async def verify(self, text: str) -> LogoutToken:
        """Verify a logout token. The caller remembers its `jti` until `forget_at`, and accepts it once.

        Raises InvalidLogoutToken, or ServiceUnavailable when the issuer's keys cannot be fetched.
        """
        if len(text) > MAX_LENGTH:
            raise InvalidLogoutToken("it is too long")
        try:
            return self._check_claims(await self._decode(text))
        except (JoseError, ValueError, TypeError) as error:  # joserfc raises TypeError for a `crit` that is not a list
            raise InvalidLogoutToken(type(error).__name__) from error

    async def _decode(self, text: str) -> jwt.Token:
        try:
            return _decode(text, await self._provider.key_set())
        except InvalidKeyIdError:
            return _decode(text, await self._provider.key_set(has_unknown_kid=True))

    def _check_claims(self, verified: jwt.Token) -> LogoutToken:
        if verified.header.get("typ") not in TYP:
            # The specification allows tokens without typ. This issuer sends it, and requiring it keeps other kinds of
            # JWT from being accepted (RFC 8725 §3.11).
            raise InvalidLogoutToken("its typ is not logout+jwt")
        self._claims.validate(verified.claims)
        if "nonce" in verified.claims:
            raise InvalidLogoutToken("it has a nonce, as an ID Token has")
        token = LogoutToken.model_validate(verified.claims)
        if not isinstance(token.events.get(EVENT), dict):
            raise InvalidLogoutToken("it is not a logout event")
        if token.sid is None and token.sub is None:
            raise InvalidLogoutToken("it names neither a session nor a user")
        if token.iat < self._clock() - MAX_AGE:
            raise InvalidLogoutToken("it is too old")
        return token


def _decode(text: str, key_set: KeySet) -> jwt.Token:
    return jwt.decode(text, key_set, registry=_JWS)
