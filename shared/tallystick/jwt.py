"""Sign a JWT, and verify the signature of one in a single strict way (RFC 7515, RFC 7519, RFC 8725).

This is the only module that imports PyJWT, and it uses only the signature algorithms. PyJWT's decoder accepts duplicate
member names, any `typ`, an `exp` that is text, and padding.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial

from jwt import get_algorithm_by_name

from tallystick import base64url
from tallystick.errors import InvalidToken
from tallystick.jwk import MAX_KID_LENGTH, PublicKey, SharedSecret, SigningKey
from tallystick.strict_json import parse_object

# Headers that carry or point to keys, or that change how the token is read.
_FORBIDDEN_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})
_MAX_HEADER_LENGTH = 2048
"""Encoded characters. Parsed headers are cached, and any caller can send one."""
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ALGORITHMS = {alg: get_algorithm_by_name(alg) for alg in ("ES256", "RS256", "PS256", "EdDSA", "HS256")}


@dataclass(frozen=True)
class Profile:
    """The form of one kind of JWT. Profiles keep one kind from being accepted as another (RFC 8725 §3.11, §3.12).

    `typ` holds the accepted values in lower case; RFC 7515 §4.1.9 compares them without regard to case.
    """

    typ: frozenset[str]
    typ_may_be_absent: bool = False
    kid_may_be_absent: bool = False
    algorithms: frozenset[str] = frozenset({"ES256"})
    max_bytes: int = 8192


ACCESS_TOKEN = Profile(typ=frozenset({"at+jwt", "application/at+jwt"}))  # RFC 9068 §2.1
ID_TOKEN = Profile(typ=frozenset({"jwt"}), typ_may_be_absent=True, algorithms=frozenset({"ES256", "RS256"}))
CLIENT_ASSERTION = Profile(  # RFC 7523 §3 defines no typ; its revision does
    typ=frozenset({"jwt", "client-authentication+jwt"}),
    typ_may_be_absent=True,
    kid_may_be_absent=True,
    algorithms=frozenset({"ES256", "RS256", "PS256", "EdDSA"}),
)
STATUS_LIST = Profile(  # Token Status List §5.1; large, because it has a bit for every token
    typ=frozenset({"statuslist+jwt", "application/statuslist+jwt"}), max_bytes=12 * 1024 * 1024
)
MESSAGE = Profile(  # tallystick.messages; a secret that two parties hold may have no name
    typ=frozenset({"vnd.tallystick.message+jwt", "application/vnd.tallystick.message+jwt"}),
    kid_may_be_absent=True,
    algorithms=frozenset({"ES256", "EdDSA", "RS256", "HS256"}),
    max_bytes=256 * 1024,
)


def legacy_profile(algorithm: str) -> Profile:
    """The profile of access tokens of another issuer, which are signed with one `algorithm` (tallystick.legacy)."""
    return Profile(
        typ=frozenset({"jwt"}), typ_may_be_absent=True, kid_may_be_absent=True, algorithms=frozenset({algorithm})
    )


@dataclass(frozen=True)
class Header:
    """The JOSE header of a token. It is well-formed for its profile, and unverified.

    `kid` is "" when the header has none, which only some profiles allow.
    """

    alg: str
    kid: str


class UnknownKey(InvalidToken):
    """The token names a `kid` that is not among the keys."""

    reason = "unknown_key"

    def __init__(self, kid: str) -> None:
        super().__init__()
        self.kid = kid


def sign(claims: Mapping[str, object], key: SigningKey | SharedSecret, *, typ: str) -> str:
    """A compact JWS over `claims`. Only `tallystick.messages` signs with a SharedSecret.

    Raises ValueError for NaN and for half of a surrogate pair.
    """
    payload = _to_json(claims).encode()
    signing_input = f"{_encoded_header(key.alg, key.kid, typ)}.{base64url.encode(payload)}"
    own_key = key.private_key if isinstance(key, SigningKey) else key.key
    signature = _ALGORITHMS[key.alg].sign(signing_input.encode(), own_key)
    return f"{signing_input}.{base64url.encode(signature)}"


def verify_signature(
    token: str, profile: Profile, key_for: Callable[[str], PublicKey | SharedSecret]
) -> dict[str, object]:
    """The payload of a token that has this profile and the signature of the key that its `kid` names.

    `key_for` maps a kid to a key, and raises KeyError for an unknown kid. The claims are not checked: issuer, audience
    and times are up to the caller.

    Raises UnknownKey, and InvalidToken for every other fault.
    """
    try:
        encoded_header, encoded_payload, encoded_signature = _split(token, profile)
        header = _parse_header(encoded_header, profile)
        try:
            key = key_for(header.kid)
        except KeyError as unknown:
            raise UnknownKey(header.kid) from unknown
        if not key.is_for(header.alg):
            raise ValueError(f"signed with {header.alg}, which its key is not for")
        signing_input = f"{encoded_header}.{encoded_payload}".encode()
        if not _ALGORITHMS[header.alg].verify(signing_input, key.key, base64url.decode(encoded_signature)):
            raise InvalidToken(reason="bad_signature") from ValueError("the signature does not match the key")
        return parse_object(base64url.decode(encoded_payload))
    except ValueError as malformed:
        raise InvalidToken from malformed


def verify_with_any_key(token: str, profile: Profile, keys: Iterable[PublicKey | SharedSecret]) -> dict[str, object]:
    """`verify_signature` with the first of `keys` that matches. The `kid` is ignored.

    The caller bounds the number of keys, because each costs a verification. Raises InvalidToken.
    """
    for key in keys:
        with suppress(InvalidToken):
            return verify_signature(token, profile, partial(_key_for_any_kid, key))
    raise InvalidToken


def _key_for_any_kid(key: PublicKey | SharedSecret, _kid: str) -> PublicKey | SharedSecret:
    return key


def parse_header(token: str, profile: Profile) -> Header:
    """The unverified header, for a caller that has to find the key first. Raises InvalidToken."""
    try:
        return _parse_header(_split(token, profile)[0], profile)
    except ValueError as malformed:
        raise InvalidToken from malformed


def parse_unverified(token: str, profile: Profile) -> dict[str, object]:
    """The unverified payload, for a caller that has to find the key first. Any caller can write it.

    Raises InvalidToken for a token that does not have this profile.
    """
    try:
        encoded_header, encoded_payload, _ = _split(token, profile)
        _parse_header(encoded_header, profile)
        return parse_object(base64url.decode(encoded_payload))
    except ValueError as malformed:
        raise InvalidToken from malformed


def _split(token: str, profile: Profile) -> tuple[str, str, str]:
    if len(token) > profile.max_bytes:  # base64url is ASCII, so a character is a byte
        raise ValueError("too long")
    header, payload, signature = token.split(".", 3)
    if len(header) > _MAX_HEADER_LENGTH:
        raise ValueError("the header is too long")
    return header, payload, signature


@lru_cache(maxsize=256)  # all tokens of one key begin with the same header
def _parse_header(encoded: str, profile: Profile) -> Header:
    header = parse_object(base64url.decode(encoded))
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise ValueError("a header parameter that is not allowed")
    typ, alg, kid = header.get("typ"), header.get("alg"), header.get("kid")
    if not (typ.lower() in profile.typ if isinstance(typ, str) else profile.typ_may_be_absent and "typ" not in header):
        raise ValueError("a token of another type")
    if not (isinstance(alg, str) and alg in profile.algorithms):
        raise ValueError(f"signed with {_shown(alg)}, where {' or '.join(sorted(profile.algorithms))} is expected")
    if profile.kid_may_be_absent and "kid" not in header:
        kid = ""
    elif not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise ValueError("no usable kid")
    return Header(alg, kid)


def _shown(alg: object) -> str:
    """At most 20 characters of the token's `alg`, for the log."""
    return f"{alg!r:.20}" if isinstance(alg, str) else "no algorithm"


@lru_cache(maxsize=64)
def _encoded_header(alg: str, kid: str, typ: str) -> str:
    header = {"typ": typ, "alg": alg, **({"kid": kid} if kid else {})}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode())
