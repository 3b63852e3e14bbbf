"""Signed JSON between two parties that know each other's key, or share a secret (RFC 7515, RFC 7519, RFC 8725).

A message is signed, not encrypted: every program that it passes can read it. docs/messages.md says when to use one.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tallystick import base64url, jwt
from tallystick.claims import Identifier
from tallystick.clock import LEEWAY, Clock, system_clock
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey, SharedSecret, SigningKey

TYP = "vnd.tallystick.message+jwt"
"""The media type, without `application/` (RFC 8725 §3.11). No other kind of JWT has it."""
MAX_BYTES = jwt.MESSAGE.max_bytes
MAX_LIFETIME = 24 * 3600
"""Seconds. A receiver remembers the `jti` of each message for that long."""

VerificationKey = PublicKey | SharedSecret
Seen = Callable[[str, int], bool]

InvalidReason = Literal[
    "malformed",
    "unknown_key",
    "bad_signature",
    "wrong_issuer",
    "wrong_audience",
    "expired",
    "not_yet_valid",
    "lifetime_too_long",
    "replayed",
]


_identifier = TypeAdapter(Identifier)


class InvalidMessage(Exception):
    """A text that is not a message for this receiver. `reason` is for the log; tell the sender no more than "refused".

    `malformed` covers every fault of form: algorithm, `typ`, JSON, size, missing or mistyped claims.
    """

    def __init__(self, reason: InvalidReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Message:
    """A verified message. `iat` and `exp` are Unix seconds."""

    payload: dict[str, object]
    issuer: str
    audience: str
    jti: str
    iat: int
    exp: int

    @cached_property
    def id(self) -> str:
        """43 characters that no other message of any issuer has, as long as issuers do not repeat a `jti`."""
        # Neither identifier contains a control character, so the pair is unambiguous.
        return base64url.encode(sha256(f"{self.issuer}\n{self.jti}".encode()).digest())

    @property
    def keep_until(self) -> int:
        """The Unix time after which the message is refused as expired, so that its `id` may be forgotten."""
        return self.exp + LEEWAY + 1


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    iss: Identifier
    aud: Identifier  # one receiver: a list could be replayed at the others
    jti: Identifier
    iat: int
    exp: int
    nbf: int | None = None  # ours have none
    payload: dict[str, object]


def sign(
    payload: Mapping[str, object],
    key: SigningKey | SharedSecret,
    *,
    issuer: str,
    audience: str,
    lifetime: int,
    clock: Clock = system_clock,
) -> str:
    """A compact JWS that `read` accepts, signed with ES256, EdDSA, RS256 or HS256 by the kind of key.

    `payload` is a JSON object. `issuer` and `audience` are the names that both parties use for each other. `lifetime`
    is 1 to 86400 seconds. Raises ValueError for arguments out of range, for a payload that is not strict JSON (RFC
    8259, at most 15 levels), and for a message of more than MAX_BYTES; TypeError for another kind of key, and for a
    payload that is no mapping.
    """
    if not isinstance(key, (SigningKey, SharedSecret)):
        raise TypeError("the key is a SigningKey or SharedSecret object")
    if not isinstance(payload, Mapping):
        raise TypeError("the payload is a mapping, such as a dict")
    _check_name("issuer", issuer)
    _check_name("audience", audience)
    if isinstance(lifetime, bool) or not 1 <= lifetime <= MAX_LIFETIME:
        raise ValueError(f"lifetime is 1 to {MAX_LIFETIME} seconds")
    if key.alg not in jwt.MESSAGE.algorithms:
        raise ValueError(f"messages are not signed with {key.alg}")
    now = clock()
    claims = {
        "iss": issuer,
        "aud": audience,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + lifetime,
        "payload": dict(payload),
    }
    try:
        message = jwt.sign(claims, key, typ=TYP)
        # The encoder turns every key into text, so a name may occur twice, and it has no limit of levels.
        _Claims.model_validate(jwt.parse_unverified(message, jwt.MESSAGE))
    except InvalidToken as invalid:
        raise ValueError(f"not a message that can be read: {invalid.__cause__}") from None
    except UnicodeEncodeError:
        raise ValueError("the payload is not JSON: it has half of a surrogate pair") from None
    except (TypeError, RecursionError) as unencodable:
        raise ValueError(f"the payload is not JSON: {unencodable}") from None
    return message


def read(
    message: str,
    keys: VerificationKey | Iterable[VerificationKey],
    *,
    audience: str,
    issuer: str,
    seen: Seen | None = None,
    clock: Clock = system_clock,
) -> Message:
    """Verify a message of `issuer` for `audience`. Both are compared byte for byte. 60 seconds of clock skew are
    allowed.

    `keys` are those of `issuer`; the `kid` of the message names one. Its kind decides the algorithm.

    `seen(id, keep_until)` records the id of a message and says whether it was recorded before, in one atomic step,
    such as one INSERT or a Redis SET with NX. It is called last, so that only good messages are recorded. Without it, a
    message is accepted again until it expires. A program that records asynchronously calls its own function with
    `Message.id` and `Message.keep_until`.

    Raises InvalidMessage, and every error of `seen`; TypeError for other kinds of keys.
    """
    by_kid = _by_kid(keys)
    try:
        claims = _Claims.model_validate(jwt.verify_signature(message, jwt.MESSAGE, by_kid.__getitem__))
    except jwt.UnknownKey:
        raise InvalidMessage("unknown_key") from None
    except InvalidToken as invalid:
        raise InvalidMessage("bad_signature" if invalid.reason == "bad_signature" else "malformed") from invalid
    except ValidationError as invalid:
        raise InvalidMessage("malformed") from invalid
    if claims.iss != issuer:
        raise InvalidMessage("wrong_issuer")
    if claims.aud != audience:
        raise InvalidMessage("wrong_audience")
    now = clock()
    if now - claims.exp > LEEWAY:
        raise InvalidMessage("expired")
    if max(claims.iat, claims.nbf or claims.iat) - now > LEEWAY:
        raise InvalidMessage("not_yet_valid")
    if not 0 < claims.exp - claims.iat <= MAX_LIFETIME:
        raise InvalidMessage("lifetime_too_long")
    read_message = Message(claims.payload, claims.iss, claims.aud, claims.jti, claims.iat, claims.exp)
    if seen is not None and seen(read_message.id, read_message.keep_until):
        raise InvalidMessage("replayed")
    return read_message


def _check_name(parameter: str, value: str) -> None:
    try:
        _identifier.validate_python(value, strict=True)
    except ValidationError:
        raise ValueError(f"{parameter} is a text of 1 to 1024 characters without control characters") from None


def _by_kid(keys: VerificationKey | Iterable[VerificationKey]) -> dict[str, VerificationKey]:
    several = list(keys) if isinstance(keys, Iterable) else [keys]
    if not all(isinstance(key, (PublicKey, SharedSecret)) for key in several):
        raise TypeError("keys are PublicKey or SharedSecret objects")
    return {key.kid: key for key in several}
