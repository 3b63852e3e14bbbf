"""Accept access tokens of an old issuer beside ours, until an end date, while clients are switched over. No I/O.

    simplejwt = LegacyIssuer(
        issuer=None, audience=None,  # the defaults of SimpleJWT: tokens without `iss` and `aud`
        algorithm="HS256", secret=settings.SECRET_KEY,
        accept_until=date(2027, 3, 31),
        scopes=["notes:read", "notes:write"],
    )

docs/migration.md has the steps. This module and `tallystick.messages` are the only ones that accept HS256, where each
program that can verify a token can also sign one, for any user.
"""

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from pydantic import TypeAdapter

from tallystick.claims import Identifier
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey, SharedSecret, parse_jwk_set
from tallystick.jwt import ACCESS_TOKEN, UnknownKey, legacy_profile, parse_header, parse_unverified, verify_signature
from tallystick.key_files import read_public_key

LegacyAlgorithm = Literal["HS256", "RS256", "ES256"]
ScopesOf = Callable[[Mapping[str, object]], Collection[str]]

_identifier = TypeAdapter(Identifier)


@dataclass(frozen=True)
class LegacyClaims:
    """The claims of a verified token of an old issuer. They are never `AccessTokenClaims`.

    `issuer` is the `iss` of the token; None for an issuer whose tokens have none. `sub` is the value of the user claim
    as text: an identifier of the old system. `scopes` are those that the API gave. `claims` are all claims, as signed.
    """

    issuer: str | None
    sub: str
    scopes: frozenset[str]
    exp: int
    claims: Mapping[str, object]

    acr: ClassVar[None] = None
    auth_time: ClassVar[None] = None
    """Unknown, so an endpoint that needs a recent or strong login refuses the token (RFC 9470)."""


class LegacyIssuer:
    """An old issuer: one issuer, one audience, one algorithm, one kind of key, one end date."""

    def __init__(
        self,
        *,
        issuer: str | None,
        audience: str | None,
        algorithm: LegacyAlgorithm,
        accept_until: date | datetime,
        secret: str | bytes | None = None,
        key: str | bytes | None = None,
        jwks: Mapping[str, object] | str | bytes | None = None,
        user_claim: str = "user_id",
        token_type: str | None = "access",  # noqa: S107  # the value of a claim
        scopes: Collection[str] | ScopesOf = (),
    ) -> None:
        """`issuer` and `audience` are compared byte for byte. None says that the tokens have no such claim, and then a
        token that has one is refused.

        `secret` is for HS256, and has at least 32 bytes. For RS256 and ES256 it is `key`, a public key in PEM, or
        `jwks`, a JWK Set that this process has read; nothing is fetched. `accept_until` is an instant with a time zone,
        or a date, whose last second in UTC is the last one.

        `user_claim` names the claim with the user's identifier: text or an integer. `token_type` is the required value
        of the claim `token_type`, by which SimpleJWT tells access tokens from refresh tokens. None accepts any token
        of the issuer. `scopes` are those of every token, or a function of its verified claims.

        Raises ValueError for keys that do not fit the algorithm, and for an `accept_until` without a time zone;
        TypeError for an `accept_until` that is no date.
        """
        if algorithm not in get_args(LegacyAlgorithm):
            raise ValueError(f"a legacy issuer signs with one of {', '.join(get_args(LegacyAlgorithm))}")
        if isinstance(scopes, str):
            raise ValueError("scopes is a list of scopes, or a function")
        for name, value in (("issuer", issuer), ("audience", audience), ("token_type", token_type)):
            if value == "":
                raise ValueError(f"{name} is empty; None says that the tokens have none")
        self.issuer = issuer
        self.audience = audience
        self.algorithm = algorithm
        self.accept_until = _last_second(accept_until)
        """Unix seconds."""
        self._keys = _keys(algorithm, secret, key, jwks)
        self._profile = legacy_profile(algorithm)
        self._user_claim = user_claim
        self._token_type = token_type
        self._scopes: ScopesOf = scopes if callable(scopes) else _constant(scopes)

    def __repr__(self) -> str:
        return f"LegacyIssuer(issuer={self.issuer!r}, algorithm={self.algorithm!r})"

    def check(self, token: str, now: int) -> LegacyClaims:
        """The claims of a compact JWS of this issuer. `now` is Unix seconds.

        Raises InvalidToken for everything else, with reason `legacy_ended` after `accept_until`. There is no status
        list: a token is accepted until its `exp`. RFC 7519 §7.2, RFC 8725 §3.
        """
        if now > self.accept_until:
            raise InvalidToken.because("legacy_ended", "its issuer is not accepted any more")
        try:
            claims = verify_signature(token, self._profile, self._key)
        except UnknownKey:
            # Not passed on: a verifier would look for the key at our issuer.
            raise InvalidToken(reason="unknown_key") from ValueError("its key is not one of the legacy issuer's")
        if claims.get("iss") != self.issuer or ("iss" in claims) != (self.issuer is not None):
            raise InvalidToken.because("wrong_issuer", "issued by another issuer")
        self._check_audience(claims)
        if self._token_type is not None and claims.get("token_type") != self._token_type:
            raise InvalidToken.because("bad_claims", f"its token_type is not {self._token_type!r}")
        exp = _check_times(claims, now)
        try:
            sub = _identifier.validate_python(_user(claims.get(self._user_claim)))
            scopes = frozenset(self._scopes(MappingProxyType(claims)))
        except (LookupError, TypeError, ValueError) as malformed:
            raise InvalidToken(reason="bad_claims") from malformed
        return LegacyClaims(self.issuer, sub, scopes, exp, MappingProxyType(claims))

    def _key(self, kid: str) -> PublicKey | SharedSecret:
        """The key that `kid` names. A token without `kid` is for an issuer with one key. Raises KeyError."""
        if isinstance(self._keys, Mapping):
            return next(iter(self._keys.values())) if not kid and len(self._keys) == 1 else self._keys[kid]
        return self._keys

    def _check_audience(self, claims: Mapping[str, object]) -> None:
        aud = claims.get("aud")
        if self.audience is None:
            is_ours = "aud" not in claims
        else:
            is_ours = aud == self.audience or (isinstance(aud, list) and self.audience in aud)
        if not is_ours:
            raise InvalidToken.because("wrong_audience", "issued for another audience")


class LegacyIssuers:
    """The old issuers of one API, beside `issuer`, which is ours.

    Raises ValueError when one of them has our identifier, or two have the same.
    """

    def __init__(self, legacy: Iterable[LegacyIssuer], *, issuer: str) -> None:
        self._issuer = issuer
        self._by_issuer: dict[str | None, LegacyIssuer] = {}
        for each in legacy:
            if each.issuer == issuer:
                raise ValueError(f"{issuer} is the issuer itself, and not a legacy issuer")
            if each.issuer in self._by_issuer:
                raise ValueError(f"there are two legacy issuers {each.issuer!r}")
            self._by_issuer[each.issuer] = each

    def __len__(self) -> int:
        return len(self._by_issuer)

    def issuer_of(self, token: str) -> LegacyIssuer | None:
        """The old issuer that decides about `token`, by its unverified `typ`, `alg` and `iss`. None: our verifier does.

        It is None for each token with our `typ` or our `iss`, so no old key decides about a token of ours.
        """
        if not self._by_issuer or _has_profile_of_ours(token):
            return None
        for legacy in self._by_issuer.values():
            try:
                claims = parse_unverified(token, legacy._profile)
            except InvalidToken:
                continue
            iss = claims.get("iss")
            if "iss" in claims and (not isinstance(iss, str) or iss == self._issuer):
                return None
            if iss == legacy.issuer:
                return legacy
        return None


def _has_profile_of_ours(token: str) -> bool:
    try:
        parse_header(token, ACCESS_TOKEN)
    except InvalidToken:
        return False
    return True


def _keys(
    algorithm: LegacyAlgorithm,
    secret: str | bytes | None,
    key: str | bytes | None,
    jwks: Mapping[str, object] | str | bytes | None,
) -> SharedSecret | PublicKey | Mapping[str, PublicKey]:
    """Raises ValueError, with a message that shows nothing of a secret."""
    if sum(value is not None for value in (secret, key, jwks)) != 1:
        raise ValueError("a legacy issuer needs one of secret, key and jwks")
    if (algorithm == "HS256") != (secret is not None):
        raise ValueError("HS256 needs a secret; RS256 and ES256 need a key or jwks")
    if secret is not None:
        return SharedSecret(secret.encode() if isinstance(secret, str) else secret)
    if key is not None:
        return read_public_key(key, alg=algorithm)
    if isinstance(jwks, Mapping):
        document = json.dumps(dict(jwks)).encode()
    else:
        document = jwks.encode() if isinstance(jwks, str) else jwks or b""
    keys = {kid: each for kid, each in parse_jwk_set(document).items() if each.is_for(algorithm)}
    if not keys:
        raise ValueError(f"jwks has no key for {algorithm}")
    return keys


def _last_second(accept_until: date | datetime) -> int:
    if not isinstance(accept_until, date):  # a datetime is a date, too
        raise TypeError("accept_until is a date or datetime object")
    if not isinstance(accept_until, datetime):
        end = datetime(accept_until.year, accept_until.month, accept_until.day, tzinfo=UTC)
        return int((end + timedelta(days=1)).timestamp()) - 1
    if accept_until.tzinfo is None:
        raise ValueError("accept_until needs a time zone")
    return int(accept_until.timestamp())


def _constant(scopes: Collection[str]) -> ScopesOf:
    fixed = frozenset(scopes)
    return lambda _: fixed


def _user(value: object) -> str:
    """SimpleJWT before 5.5 writes the primary key as a number, later as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("the user claim is neither text nor an integer")


def _check_times(claims: Mapping[str, object], now: int) -> int:
    """`exp` in whole seconds, rounded up. Raises InvalidToken."""
    exp = _seconds(claims.get("exp"))
    if exp is None or any(name in claims and _seconds(claims[name]) is None for name in ("iat", "nbf")):
        raise InvalidToken.because("bad_claims", "a time is no number of seconds")
    if now - exp > LEEWAY:
        raise InvalidToken.because("expired", "expired")
    if any((_seconds(claims.get(name)) or 0) - now > LEEWAY for name in ("iat", "nbf")):
        raise InvalidToken.because("not_yet_valid", "not valid yet")
    return exp


def _seconds(value: object) -> int | None:
    """A NumericDate, which may have a fraction (RFC 7519 §2)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.ceil(value)  # finite, as the payload was parsed strictly
