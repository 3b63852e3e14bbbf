"""Signed JWTs: how one is written, and the one strict way to read it (RFC 7515, 7519, 8725).

The only file that imports PyJWT, and only for its signature algorithms: as a reader it takes duplicate names, any
`typ`, an `exp` that is text, padding, and it fails on half of a surrogate pair with an error of another family.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial

from jwt import get_algorithm_by_name

from tallystick import base64url
from tallystick.errors import InvalidToken
from tallystick.jwk import MAX_KID_LENGTH, PublicKey, SigningKey
from tallystick.strict_json import parse_object

UNBELIEVED = "the token is malformed, expired, or not issued for this use"
"""All that the bearer of a refused token is told; the exception's cause has the reason."""

# What a token must never bring along: keys or addresses of keys to believe it by, and changes to how it is to be read.
_FORBIDDEN_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})
_LONGEST_HEADER = 2048
"""Encoded: headers are remembered, whoever wrote them."""
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ALGORITHMS = {alg: get_algorithm_by_name(alg) for alg in ("ES256", "RS256", "PS256", "EdDSA")}


@dataclass(frozen=True)
class Profile:
    """What one kind of JWT looks like, so that no kind is ever taken for another (RFC 8725 §3.11, §3.12).

    `typ` holds the accepted values in lower case; RFC 7515 §4.1.9 compares them without regard to case.
    """

    typ: frozenset[str]
    typ_may_be_absent: bool = False
    kid_may_be_absent: bool = False
    algorithms: frozenset[str] = frozenset({"ES256"})
    max_bytes: int = 8192


ACCESS_TOKEN = Profile(typ=frozenset({"at+jwt", "application/at+jwt"}))  # RFC 9068 §2.1
ID_TOKEN = Profile(typ=frozenset({"jwt"}), typ_may_be_absent=True, algorithms=frozenset({"ES256", "RS256"}))
CLIENT_ASSERTION = Profile(  # RFC 7523 §3; its next edition names the type, and until then there is none
    typ=frozenset({"jwt", "client-authentication+jwt"}),
    typ_may_be_absent=True,
    kid_may_be_absent=True,
    algorithms=frozenset({"ES256", "RS256", "PS256", "EdDSA"}),
)
STATUS_LIST = Profile(  # Token Status List §5.1; as long as nothing else, because it holds a bit of every token
    typ=frozenset({"statuslist+jwt", "application/statuslist+jwt"}), max_bytes=12 * 1024 * 1024
)


@dataclass(frozen=True)
class Header:
    """The JOSE header of a token, well-formed for its profile. Nothing in it has been verified.

    `kid` is "" where there is none, which few profiles allow.
    """

    alg: str
    kid: str


def sign(claims: Mapping[str, object], key: SigningKey, *, typ: str) -> str:
    """A compact JWS over `claims`. Raises ValueError for what no strict reader takes (NaN, half a surrogate pair)."""
    payload = _to_json(claims).encode()
    signing_input = f"{_encoded_header(key.alg, key.kid, typ)}.{base64url.encode(payload)}"
    signature = _ALGORITHMS[key.alg].sign(signing_input.encode(), key.private_key)
    return f"{signing_input}.{base64url.encode(signature)}"


def read(token: str, profile: Profile, key_for: Callable[[str], PublicKey]) -> dict[str, object]:
    """The payload of a token that is of this profile and was signed by the key that its `kid` names.

    `key_for` maps a kid to a key and raises KeyError when it knows none. The claims have not been judged: who issued
    it, for whom and until when is the caller's question.

    Raises InvalidToken for every reason alike.
    """
    try:
        encoded_header, encoded_payload, encoded_signature = _parts(token, profile)
        header = _parse_header(encoded_header, profile)
        key = _found(key_for, header.kid)
        if not key.is_for(header.alg):
            raise ValueError(f"signed with {header.alg}, for which its key is not meant")
        signing_input = f"{encoded_header}.{encoded_payload}".encode()
        if not _ALGORITHMS[header.alg].verify(signing_input, key.key, base64url.decode(encoded_signature)):
            raise InvalidToken(UNBELIEVED, reason="bad_signature") from ValueError("the signature is not the key's")
        return parse_object(base64url.decode(encoded_payload))
    except ValueError as refused:
        raise InvalidToken(UNBELIEVED) from refused


def _found(key_for: Callable[[str], PublicKey], kid: str) -> PublicKey:
    try:
        return key_for(kid)
    except KeyError as unknown:
        raise InvalidToken(UNBELIEVED, reason="unknown_key") from unknown


def read_by_any(token: str, profile: Profile, keys: Iterable[PublicKey]) -> dict[str, object]:
    """The same, by whichever of `keys` signed it. Each costs a verification, so the caller has bounded them."""
    for key in keys:
        with suppress(InvalidToken):
            return read(token, profile, partial(_whatever_the_kid, key))
    raise InvalidToken(UNBELIEVED)


def _whatever_the_kid(key: PublicKey, _kid: str) -> PublicKey:
    return key


def read_header(token: str, profile: Profile) -> Header:
    """Which key the token names, for those who may have to fetch it before they `read`. Raises InvalidToken."""
    try:
        return _parse_header(_parts(token, profile)[0], profile)
    except ValueError as refused:
        raise InvalidToken(UNBELIEVED) from refused


def read_unverified(token: str, profile: Profile) -> dict[str, object]:
    """What anybody may have written, for those who must know whose key to take before they `read`.

    Raises InvalidToken for a token that is not of this profile.
    """
    try:
        encoded_header, encoded_payload, _ = _parts(token, profile)
        _parse_header(encoded_header, profile)
        return parse_object(base64url.decode(encoded_payload))
    except ValueError as refused:
        raise InvalidToken(UNBELIEVED) from refused


def _parts(token: str, profile: Profile) -> tuple[str, str, str]:
    if len(token) > profile.max_bytes:  # whatever passes is ASCII, one byte a character
        raise ValueError("too long")
    header, payload, signature = token.split(".", 3)
    if len(header) > _LONGEST_HEADER:
        raise ValueError("too long a header")
    return header, payload, signature


@lru_cache(maxsize=256)  # every token of one key begins with the same header
def _parse_header(encoded: str, profile: Profile) -> Header:
    header = parse_object(base64url.decode(encoded))
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise ValueError("a header that we never follow")
    typ, alg, kid = header.get("typ"), header.get("alg"), header.get("kid")
    if not (typ.lower() in profile.typ if isinstance(typ, str) else profile.typ_may_be_absent and "typ" not in header):
        raise ValueError("a token of another type")
    if not (isinstance(alg, str) and alg in profile.algorithms):
        raise ValueError(f"signed with {_named(alg)}, where {' or '.join(sorted(profile.algorithms))} is expected")
    if profile.kid_may_be_absent and "kid" not in header:
        kid = ""
    elif not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise ValueError("no usable kid")
    return Header(alg, kid)


def _named(alg: object) -> str:
    """For the log: at most 20 characters of what the token says."""
    return f"{alg!r:.20}" if isinstance(alg, str) else "no algorithm"


@lru_cache(maxsize=64)
def _encoded_header(alg: str, kid: str, typ: str) -> str:
    return base64url.encode(json.dumps({"typ": typ, "alg": alg, "kid": kid}, separators=(",", ":")).encode())
