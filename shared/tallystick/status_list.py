"""Parse a Status List Token: the signed list of token statuses (draft-ietf-oauth-status-list-21)."""

import zlib
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tallystick import base64url
from tallystick.claims import AccessTokenClaims
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey
from tallystick.jwt import STATUS_LIST, parse_header, verify_signature
from tallystick.urls import check_url

MAX_STATUSES_BYTES = 16 * 1024 * 1024
"""The maximum size of one decompressed list: 134 million statuses of one bit."""

_STRICT = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class StatusList:
    """One verified list.

    `statuses` is packed: `bits` for each status, the first in the least significant bits of the first byte (Token
    Status List §4.1). `key` signed it. Times are Unix seconds.
    """

    uri: str
    key: PublicKey
    iat: int
    exp: int | None
    bits: int
    statuses: bytes = field(repr=False)

    def status(self, idx: int) -> int:
        """0 means valid; every other status means refused.

        `idx` is not negative. Raises IndexError when it is beyond the end of the list.
        """
        position = idx * self.bits
        return self.statuses[position >> 3] >> (position & 7) & ((1 << self.bits) - 1)

    def has(self, idx: int) -> bool:
        """Whether `idx`, which is not negative, is within the list."""
        return idx * self.bits < 8 * len(self.statuses)

    def age(self, now: int) -> int:
        """Seconds since it was signed, however late it was fetched."""
        return max(0, now - self.iat)

    def is_expired(self, now: int) -> bool:
        return self.exp is not None and now - self.exp > LEEWAY

    def has_same_statuses(self, other: "StatusList") -> bool:
        return self.bits == other.bits and self.statuses == other.statuses


class StatusReference(BaseModel):
    """The location of the status of an access token: index `idx` of the list at `uri` (Token Status List §6.2)."""

    model_config = _STRICT

    idx: Annotated[int, Field(ge=0)]
    uri: Annotated[str, AfterValidator(check_url)]


class _Status(BaseModel):
    """The `status` claim. Members for other mechanisms are ignored (Token Status List §6.1)."""

    model_config = _STRICT

    status_list: StatusReference


def parse_status_reference(claims: AccessTokenClaims) -> StatusReference | None:
    """The reference in the `status` claim, or None for a token without one. Raises ValueError."""
    extra = claims.model_extra or {}
    return _Status.model_validate(extra["status"]).status_list if "status" in extra else None


class _List(BaseModel):
    model_config = _STRICT

    bits: int
    lst: str


class _StatusListClaims(BaseModel):
    """Token Status List §5.1."""

    model_config = _STRICT

    sub: str
    iat: int
    exp: int | None = None
    ttl: Annotated[int | float, Field(gt=0)] | None = None
    status_list: _List


def parse_status_list_kid(token: str) -> str:
    """The `kid` in the unverified header of a Status List Token. Raises ValueError for any other text."""
    try:
        return parse_header(token, STATUS_LIST).kid
    except InvalidToken as refused:
        raise ValueError(f"not a status list: {refused.__cause__}") from refused


def parse_status_list(token: str, *, uri: str, key: PublicKey, now: int) -> StatusList:
    """The list in a Status List Token that was fetched from `uri` and has the signature of `key`.

    The list may be expired, because what it says about revoked tokens stays true. The largest takes about 100 ms.
    Raises ValueError for every fault. Token Status List §8.3.
    """
    try:
        payload = verify_signature(token, STATUS_LIST, {key.kid: key}.__getitem__)
    except InvalidToken as refused:
        raise ValueError(f"not a status list of the issuer: {refused.__cause__}") from refused
    claims = _StatusListClaims.model_validate(payload)
    if claims.sub != uri:
        raise ValueError("the status list is for another URL")
    if claims.iat - now > LEEWAY:
        raise ValueError("the status list was issued in the future")
    if claims.status_list.bits not in (1, 2, 4, 8):
        raise ValueError("the status list has an unknown number of bits for each status")
    statuses = _decompress(base64url.decode(claims.status_list.lst))
    return StatusList(uri, key, claims.iat, claims.exp, claims.status_list.bits, statuses)


def _decompress(data: bytes) -> bytes:
    """Decompress one whole ZLIB stream (RFC 1950) of at most MAX_STATUSES_BYTES, with nothing after it."""
    stream = zlib.decompressobj()
    try:
        statuses = stream.decompress(data, MAX_STATUSES_BYTES + 1)
    except zlib.error as broken:
        raise ValueError("the status list cannot be decompressed") from broken
    if len(statuses) > MAX_STATUSES_BYTES:
        raise ValueError(f"the status list has more than {MAX_STATUSES_BYTES} bytes")
    if not stream.eof or stream.unused_data:
        raise ValueError("the status list is cut off, or has bytes after its end")
    return statuses
