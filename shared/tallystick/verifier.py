"""The checklist of RFC 9068 §4: from the text of an access token to claims that may be believed, asking nobody."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from tallystick.claims import AccessTokenClaims
from tallystick.clock import LEEWAY, Clock, system_clock
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey
from tallystick.jwt import ACCESS_TOKEN, parse_header, parse_unverified, verify_signature
from tallystick.refusal_reasons import Reason
from tallystick.refusal_warnings import RefusalWarnings
from tallystick.remote.followed_list import FollowedList
from tallystick.remote.issuer import RemoteIssuer
from tallystick.status_check import StatusCheck, StatusPolicy
from tallystick.status_list import status_reference
from tallystick.urls import printable_address

log = logging.getLogger(__name__)

_EXPLAINED_BY_CLAIMS: frozenset[Reason] = frozenset({"wrong_audience", "wrong_issuer", "unknown_key"})

MAX_REMEMBERED = 4096
"""Verdicts kept; about 10 MB when all are in use."""


class Verifier:
    """Believes the access tokens of one issuer for one audience, or says why not."""

    def __init__(
        self,
        issuer: RemoteIssuer,
        audience: str,
        *,
        status_policy: StatusPolicy | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """The identifier of `issuer` and `audience` are compared byte for byte. `status_policy`: serve_until_exp when
        left out.
        """
        self.statuses = StatusCheck(issuer.status_lists, status_policy or StatusPolicy(), clock=clock)
        self._issuer = issuer
        self._key_set = issuer.key_set
        self._audience = audience
        self._clock = clock
        self._verdicts = _Verdicts()
        self.refusal_warnings = RefusalWarnings()
        """For adapters, which refuse for reasons of their own, such as a missing scope."""

    async def verify(self, token: str) -> AccessTokenClaims:
        """The claims of an access token: the compact JWS from the Authorization header, scheme already removed.

        Raises InvalidToken with the same answer for every reason, so that a caller learns nothing from the difference
        (the log has it, see RefusalWarnings); TemporarilyUnavailable while the issuer's keys are not known, or the
        token's status is not and has to be. RFC 9068 §4, RFC 8725 §3, Token Status List §8.3.
        """
        self._issuer.keep_fresh()
        digest = sha256(token.encode(errors="surrogatepass")).digest()
        now = self._clock()
        verdict = self._verdicts.recall(digest, self._key_set.keys, now)
        # A verdict is remembered, the status is not: it is looked up at each request.
        if verdict is not None and (
            verdict.idx is None
            or (verdict.followed is not None and self.statuses.is_known_good(verdict.followed, verdict.idx, now))
        ):
            return verdict.claims
        try:
            return await self._verify(token, digest, verdict)
        except InvalidToken as refused:
            log.debug("refused an access token: %s", refused.__cause__)
            self._explain(refused.reason, token)
            raise

    def _explain(self, reason: Reason, token: str) -> None:
        """Log why, once a minute for each reason, with what the token says of `aud` and `iss` where that is the cause.

        Only these two claims, because they name services. With an unknown key they are unverified text of any caller:
        then only the address in `iss` is logged, without its query, to tell where the client got its token.
        """
        if not self.refusal_warnings.is_due(reason):
            return
        details: dict[str, object] = {}
        if reason in _EXPLAINED_BY_CLAIMS:
            claims: dict[str, object] = {}
            with suppress(InvalidToken):
                claims = parse_unverified(token, ACCESS_TOKEN)
            if reason == "unknown_key":
                claims = {"iss": printable_address(str(claims.get("iss")))}
            details = {
                "token_audience": claims.get("aud"),
                "expected_audience": self._audience,
                "token_issuer": claims.get("iss"),
                "expected_issuer": self._issuer.identifier,
            }
        self.refusal_warnings.write(reason, **details)

    async def _verify(self, token: str, digest: bytes, verdict: "_Verdict | None") -> AccessTokenClaims:
        keys = self._key_set.keys
        if verdict is None:
            keys = await self._key_set.seek(parse_header(token, ACCESS_TOKEN).kid)
            claims = self._judge(verify_signature(token, ACCESS_TOKEN, keys.__getitem__))
        else:
            claims = verdict.claims
        try:
            reference = status_reference(claims)
        except ValueError as malformed:
            raise InvalidToken from malformed
        followed = await self.statuses.require(reference, issued_at=claims.iat) if reference is not None else None
        if keys is not self._key_set.keys:  # while we waited for the list, the issuer may have withdrawn the key
            return await self._verify(token, digest, None)
        self._verdicts.remember(digest, _Verdict(claims, None if reference is None else reference.idx, followed), keys)
        return claims

    def _judge(self, payload: dict[str, object]) -> AccessTokenClaims:
        try:
            claims = AccessTokenClaims.model_validate(payload)
            self._check(claims, self._clock())
        except _Unbelieved as refused:
            raise InvalidToken(reason=refused.reason) from refused
        except ValueError as refused:  # pydantic's ValidationError, too
            raise InvalidToken(reason="bad_claims") from refused
        return claims

    def _check(self, claims: AccessTokenClaims, now: int) -> None:
        if claims.iss != self._issuer.identifier:
            raise _Unbelieved("issued by another", "wrong_issuer")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise _Unbelieved("issued for another audience", "wrong_audience")
        if now - claims.exp > LEEWAY:
            raise _Unbelieved("expired", "expired")
        if max(claims.iat, claims.nbf or claims.iat) - now > LEEWAY:
            raise _Unbelieved("not valid yet", "not_yet_valid")


class _Unbelieved(Exception):
    """Well-formed claims that are not for us, or not now. `reason` is the word for those who count."""

    def __init__(self, text: str, reason: Reason) -> None:
        super().__init__(text)
        self.reason = reason


class _Verdict(NamedTuple):
    """`idx` is None for a token without a status; `followed` is None where its list is not followed."""

    claims: AccessTokenClaims
    idx: int | None
    followed: FollowedList | None


class _Verdicts:
    """What was verified lately, so that the second request with a token costs a look-up instead of a signature.

    A verdict is good until its token's `exp`, and only beside the very keys it was reached with. The tokens
    themselves are not kept: they are worth stealing, their digests are not.
    """

    def __init__(self) -> None:
        self._keys: Mapping[str, PublicKey] = {}
        self._verdicts: dict[bytes, _Verdict] = {}

    def recall(self, digest: bytes, keys: Mapping[str, PublicKey], now: int) -> _Verdict | None:
        verdict = self._verdicts.get(digest)
        if verdict is None or keys is not self._keys or now >= verdict.claims.exp:
            return None
        return verdict

    def remember(self, digest: bytes, verdict: _Verdict, keys: Mapping[str, PublicKey]) -> None:
        if keys is not self._keys:
            self._keys = keys
            self._verdicts.clear()
        elif digest not in self._verdicts and len(self._verdicts) >= MAX_REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]  # the first verified is likely the first to expire
        self._verdicts[digest] = verdict
