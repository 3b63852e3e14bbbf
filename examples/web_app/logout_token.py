"""Logout tokens, which say that a login has ended (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from collections import OrderedDict
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
MAX_REMEMBERED = 10_000
"""How many `jti` are remembered. Only tokens that the issuer signed are."""
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
        self.max_remembered = MAX_REMEMBERED
        self._seen: OrderedDict[str, int] = OrderedDict()
        """For each `jti`, when it may be forgotten, in Unix seconds. The first was added first."""

    async def accept(self, text: str) -> LogoutToken:
        """Verify a logout token; accept it once.

        Raises InvalidLogoutToken, or ServiceUnavailable when the issuer's keys cannot be fetched.
        """
        if len(text) > MAX_LENGTH:
            raise InvalidLogoutToken("it is too long")
        try:
            token = self._check_claims(await self._verify(text))
        except (JoseError, ValueError, TypeError) as error:  # joserfc raises TypeError for a `crit` that is not a list
            raise InvalidLogoutToken(type(error).__name__) from error
        self._remember(token.jti)
        return token

    async def _verify(self, text: str) -> jwt.Token:
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

    def _remember(self, jti: str) -> None:
        """Raises InvalidLogoutToken for a token that was accepted before."""
        if jti in self._seen:
            raise InvalidLogoutToken("it was accepted before")
        now = self._clock()
        while self._seen and (len(self._seen) >= self.max_remembered or next(iter(self._seen.values())) <= now):
            self._seen.popitem(last=False)
        self._seen[jti] = now + MAX_AGE + LEEWAY + 1


def _decode(text: str, key_set: KeySet) -> jwt.Token:
    return jwt.decode(text, key_set, registry=_JWS)
