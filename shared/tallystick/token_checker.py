"""Check an access token against keys and status lists that were fetched before (RFC 9068 §4). No I/O."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import NamedTuple

from tallystick.claims import AccessTokenClaims
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.jwk import PublicKey
from tallystick.jwt import ACCESS_TOKEN, parse_header, verify_signature
from tallystick.status_list import StatusList, StatusReference, parse_status_reference

MAX_CACHED_VERDICTS = 4096
"""About 10 MB when the cache is full."""

_versions = count(1)


@dataclass(frozen=True)
class KeySet:
    """The public keys of an issuer at one moment.

    No two key sets of a process have the same `version`, so a cached verdict is compared with a number.
    """

    by_kid: Mapping[str, PublicKey]
    version: int = field(default_factory=_versions.__next__, init=False, compare=False)

    def __contains__(self, kid: str) -> bool:
        return kid in self.by_kid

    def __len__(self) -> int:
        return len(self.by_kid)


@dataclass(frozen=True)
class Statuses:
    """The knowledge about an issuer's status lists at one moment, by URL.

    `lists` has the last good version of each list. `outdated` has the URLs whose last fetch failed: such a list may
    have grown since.
    """

    lists: Mapping[str, StatusList] = field(default_factory=lambda: MappingProxyType({}))
    outdated: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StatusPolicy:
    """Whether a token is accepted while its status is unknown, because its list is missing or too old.

    `max_age` None: it is accepted until its `exp` (serve_until_exp). A number: it is answered with
    TemporarilyUnavailable when its list was signed more than `max_age` seconds ago (fail_closed). Both refuse a token
    that a list of any age says is revoked.
    """

    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("status_max_age is a number of seconds, at least 1")

    def is_recent(self, status_list: StatusList, now: int) -> bool:
        """Whether `status_list` may say that a token is valid."""
        return self.max_age is None or (now - status_list.iat <= self.max_age and not status_list.is_expired(now))


class KeysUnavailable(TemporarilyUnavailable):
    """The issuer's keys have never been fetched. `kid` is the key that the token names."""

    def __init__(self, kid: str) -> None:
        super().__init__("the keys of the issuer are not known yet")
        self.kid = kid


class Verdict(NamedTuple):
    """A token whose signature and claims are good.

    `status` is None for a token without a status. `key_version` is the version of the key set that verified it.
    """

    claims: AccessTokenClaims
    status: StatusReference | None
    key_version: int


class TokenChecker:
    """Checks access tokens of one issuer for one audience. Its methods may be called from any thread."""

    def __init__(self, issuer: str, audience: str, *, status_policy: StatusPolicy | None = None) -> None:
        """`issuer` and `audience` are compared byte for byte. `status_policy` is serve_until_exp by default."""
        self.issuer = issuer
        self.audience = audience
        self.status_policy = status_policy or StatusPolicy()
        self._verdicts = _VerdictCache()

    def check(self, token: str, keys: KeySet | None, statuses: Statuses, now: int) -> AccessTokenClaims:
        """The claims of a compact JWS from the Authorization header, without the scheme.

        `keys` is None while the issuer's keys have never been fetched. `now` is Unix seconds. A list that is not in
        `statuses` is unknown, which `status_policy` decides about.

        Raises InvalidToken, with the same description for every reason; UnknownKey when newer keys might help;
        TemporarilyUnavailable while the keys, or with fail_closed the token's status, are unknown. RFC 9068 §4,
        RFC 8725 §3, Token Status List §8.3.
        """
        claims, status, _ = self.check_claims(token, keys, now)
        if status is not None:
            self._check_status(status, claims, statuses, now)
        return claims

    def check_claims(self, token: str, keys: KeySet | None, now: int) -> Verdict:
        """The part of `check` that does not depend on status lists. Verdicts are cached. Raises as `check` does."""
        # Tokens are worth stealing, so the cache holds their digests instead.
        try:
            digest = sha256(token.encode(errors="surrogatepass")).digest()
        except AttributeError:  # None, for example, is what `headers.get` returns for a missing header
            raise InvalidToken from TypeError("the token is not text")
        verdict = self._verdicts.get(digest, keys, now)
        if verdict is None:
            verdict = self._check_claims(token, keys, now)
            self._verdicts.add(digest, verdict)
        return verdict

    def is_valid(self, status: StatusReference, statuses: Statuses, now: int) -> bool:
        """Whether a recent list says that the token is valid. False also means an unknown status."""
        status_list = statuses.lists.get(status.uri)
        if status_list is None:
            return False
        try:
            if status_list.status(status.idx):
                return False
        except IndexError:
            return False
        return self.status_policy.max_age is None or self.status_policy.is_recent(status_list, now)

    def _check_claims(self, token: str, keys: KeySet | None, now: int) -> Verdict:
        if keys is None:
            raise KeysUnavailable(parse_header(token, ACCESS_TOKEN).kid)
        payload = verify_signature(token, ACCESS_TOKEN, keys.by_kid.__getitem__)
        try:
            claims = AccessTokenClaims.model_validate(payload)
        except ValueError as malformed:
            raise InvalidToken(reason="bad_claims") from malformed
        if claims.iss != self.issuer:
            raise InvalidToken.because("wrong_issuer", "issued by another issuer")
        if self.audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise InvalidToken.because("wrong_audience", "issued for another audience")
        if now - claims.exp > LEEWAY:
            raise InvalidToken.because("expired", "expired")
        if max(claims.iat, claims.nbf or claims.iat) - now > LEEWAY:
            raise InvalidToken.because("not_yet_valid", "not valid yet")
        try:
            return Verdict(claims, parse_status_reference(claims), keys.version)
        except ValueError as malformed:
            raise InvalidToken from malformed

    def _check_status(self, status: StatusReference, claims: AccessTokenClaims, statuses: Statuses, now: int) -> None:
        """Raises InvalidToken or TemporarilyUnavailable unless the token may be accepted."""
        status_list = statuses.lists.get(status.uri)
        if status_list is not None:
            is_recent = self.status_policy.is_recent(status_list, now)
            if not status_list.has(status.idx):
                # A list grows before the issuer uses its new indexes, so an up-to-date list has every index in use.
                if is_recent and status.uri not in statuses.outdated:
                    raise InvalidToken.because("status_unknown", "its status list has no such index")
            elif not status_list.status(status.idx):
                if is_recent:
                    return
            elif status_list.exp is None or claims.iat <= status_list.exp + LEEWAY:
                raise InvalidToken.because("revoked", "revoked")
            # Otherwise the index was given to another token family after the list expired.
        if self.status_policy.max_age is not None:
            raise TemporarilyUnavailable("whether the token was revoked cannot be known for now")


class _VerdictCache:
    """Verdicts by the digest of their token, so that a second request costs a look-up instead of a signature.

    A verdict holds until its token's `exp`, and only for the key set that it was reached with. There is no lock: after
    a fork, another thread of the parent process would hold it for ever. Threads that add at the same time may lose a
    verdict, which is then reached again.
    """

    def __init__(self) -> None:
        self._verdicts: dict[bytes, Verdict] = {}
        self._key_version = 0

    def get(self, digest: bytes, keys: KeySet | None, now: int) -> Verdict | None:
        verdict = self._verdicts.get(digest)
        if verdict is None or keys is None or verdict.key_version != keys.version or now >= verdict.claims.exp:
            return None
        return verdict

    def add(self, digest: bytes, verdict: Verdict) -> None:
        if verdict.key_version != self._key_version:
            self._verdicts = {}
            self._key_version = verdict.key_version
        verdicts = self._verdicts
        if digest not in verdicts and len(verdicts) >= MAX_CACHED_VERDICTS:
            with suppress(StopIteration, RuntimeError):  # RuntimeError: another thread added one meanwhile
                verdicts.pop(next(iter(verdicts)), None)  # the first verified is likely the first to expire
        verdicts[digest] = verdict
