"""The checklist of RFC 9068 §4: from the text of an access token to claims that may be believed, asking nobody."""

import logging
from collections.abc import Mapping
from hashlib import sha256

from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey
from tallystick.jwt import ACCESS_TOKEN, UNBELIEVED, read, read_header
from tallystick.key_set import RemoteKeySet

log = logging.getLogger(__name__)

LEEWAY = 60
"""Seconds that the issuer's clock and ours may be apart."""
MAX_REMEMBERED = 4096
"""Verdicts kept; about 10 MB when all are in use."""


class Verifier:
    """Believes the access tokens of one issuer for one audience, or says why not."""

    def __init__(self, issuer: str, audience: str, key_set: RemoteKeySet, *, clock: Clock = system_clock) -> None:
        """`issuer` and `audience` are compared byte for byte."""
        self._issuer = issuer
        self._audience = audience
        self._key_set = key_set
        self._clock = clock
        self._verdicts = _Verdicts()

    async def verify(self, token: str) -> AccessTokenClaims:
        """The claims of an access token: the compact JWS from the Authorization header, scheme already removed.

        Raises InvalidToken for every reason alike, so that a caller learns nothing from the difference (the log does,
        at level DEBUG); TemporarilyUnavailable while the issuer's keys are not known. Does not see revocation: a
        revoked token stays valid until `exp`. RFC 9068 §4, RFC 8725 §3.
        """
        self._key_set.keep_fresh()
        digest = sha256(token.encode(errors="surrogatepass")).digest()
        claims = self._verdicts.recall(digest, self._key_set.keys, self._clock())
        if claims is None:
            try:
                keys = await self._key_set.seek(read_header(token, ACCESS_TOKEN).kid)
                claims = self._judge(read(token, ACCESS_TOKEN, keys.__getitem__))
            except InvalidToken as refused:
                log.debug("refused an access token: %s", refused.__cause__)
                raise
            self._verdicts.remember(digest, claims, keys)
        return claims

    def _judge(self, payload: dict[str, object]) -> AccessTokenClaims:
        try:
            claims = AccessTokenClaims.model_validate(payload)
            self._check(claims, self._clock())
        except _Unbelieved as refused:
            raise InvalidToken(UNBELIEVED, reason=refused.reason) from refused
        except ValueError as refused:  # pydantic's ValidationError, too
            raise InvalidToken(UNBELIEVED, reason="bad_claims") from refused
        return claims

    def _check(self, claims: AccessTokenClaims, now: int) -> None:
        if claims.iss != self._issuer:
            raise _Unbelieved("issued by another", "wrong_issuer")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise _Unbelieved("issued for another audience", "wrong_audience")
        if now - claims.exp > LEEWAY:
            raise _Unbelieved("expired", "expired")
        if max(claims.iat, claims.nbf or claims.iat) - now > LEEWAY:
            raise _Unbelieved("not valid yet", "not_yet_valid")


class _Unbelieved(Exception):
    """Well-formed claims that are not for us, or not now. `reason` is the word for those who count."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class _Verdicts:
    """What was verified lately, so that the second request with a token costs a look-up instead of a signature.

    A verdict is good until its token's `exp`, and only beside the very keys it was reached with. The tokens
    themselves are not kept: they are worth stealing, their digests are not.
    """

    def __init__(self) -> None:
        self._keys: Mapping[str, PublicKey] = {}
        self._claims: dict[bytes, AccessTokenClaims] = {}

    def recall(self, digest: bytes, keys: Mapping[str, PublicKey], now: int) -> AccessTokenClaims | None:
        claims = self._claims.get(digest)
        if claims is None or keys is not self._keys or now >= claims.exp:
            return None
        return claims

    def remember(self, digest: bytes, claims: AccessTokenClaims, keys: Mapping[str, PublicKey]) -> None:
        if keys is not self._keys:
            self._keys = keys
            self._claims.clear()
        elif len(self._claims) >= MAX_REMEMBERED:
            del self._claims[next(iter(self._claims))]  # the first verified is likely the first to expire
        self._claims[digest] = claims
