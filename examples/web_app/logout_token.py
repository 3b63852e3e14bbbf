"""Logout tokens: the issuer's word that a login has ended (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from collections import OrderedDict
from typing import Annotated, Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, StringConstraints

from examples.web_app.provider import Provider
from examples.web_app.settings import Settings
from tallystick.clock import Clock

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYP = ("logout+jwt", "application/logout+jwt")
LEEWAY = 60
"""Seconds by which the issuer's clock may be off."""
RECENT = 300
"""Seconds after which a token is too old, whatever its `exp`: so long, its `jti` has to be remembered."""
MOST = 10_000
"""How many `jti` are remembered. Only the issuer can fill it: what is not signed by it is never remembered."""
LONGEST = 8192

# Other headers than we know of are none of our business, but for `crit`, which joserfc obeys.
_JWS = JWSRegistry(algorithms=["ES256", "RS256"], strict_check_header=False)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class InvalidLogoutToken(Exception):
    """For whatever reason; the caller learns none, and the log nothing that came in the token."""


class LogoutToken(BaseModel):
    """The claims of a token that was verified. `sid` or `sub` is there, or both."""

    model_config = ConfigDict(frozen=True, strict=True)

    iat: int
    exp: int
    jti: _Name
    events: dict[str, Any]
    sid: _Name | None = None
    sub: _Name | None = None


class LogoutTokens:
    def __init__(self, settings: Settings, clock: Clock, provider: Provider) -> None:
        self._provider = provider
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            clock,
            LEEWAY,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
        )
        self._seen: OrderedDict[str, int] = OrderedDict()

    async def accept(self, text: str) -> LogoutToken:
        """Believe a logout token, once.

        Raises InvalidLogoutToken, or Unreachable when the issuer's keys are not at hand.
        """
        if len(text) > LONGEST:
            raise InvalidLogoutToken("it is too long")
        try:
            token = self._parse(await self._verified(text))
        except (JoseError, ValueError, TypeError) as refused:  # TypeError: joserfc's, for a `crit` that is no list
            raise InvalidLogoutToken(type(refused).__name__) from refused
        self._remember(token.jti)
        return token

    async def _verified(self, text: str) -> jwt.Token:
        try:
            return _decode(text, await self._provider.key_set())
        except InvalidKeyIdError:
            return _decode(text, await self._provider.key_set(lacks_one=True))

    def _parse(self, verified: jwt.Token) -> LogoutToken:
        if verified.header.get("typ") not in TYP:
            # The specification lets it be absent, for issuers from before. Ours sends it, and no other kind of JWT
            # can then be taken for this one (RFC 8725 §3.11).
            raise InvalidLogoutToken("its typ is another")
        self._claims.validate(verified.claims)
        if "nonce" in verified.claims:
            raise InvalidLogoutToken("it has a nonce, as ID Tokens have")
        token = LogoutToken.model_validate(verified.claims)
        if not isinstance(token.events.get(EVENT), dict):
            raise InvalidLogoutToken("it is about another event")
        if token.sid is None and token.sub is None:
            raise InvalidLogoutToken("it names neither a session nor a user")
        if token.iat < self._clock() - RECENT:
            raise InvalidLogoutToken("it is too old")
        return token

    def _remember(self, jti: str) -> None:
        """Raises InvalidLogoutToken for one that came before."""
        if jti in self._seen:
            raise InvalidLogoutToken("it came before")
        now = self._clock()
        while self._seen and (len(self._seen) >= MOST or next(iter(self._seen.values())) <= now):
            self._seen.popitem(last=False)  # the first to be remembered is the first that may be forgotten
        self._seen[jti] = now + RECENT + LEEWAY + 1


def _decode(text: str, key_set: KeySet) -> jwt.Token:
    return jwt.decode(text, key_set, registry=_JWS)
