"""A list of token statuses that the issuer has signed (Token Status List, draft-ietf-oauth-status-list-21)."""

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
"""Of one list, decompressed: 134 million tokens of one bit."""

_STRICT = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class StatusList:
    """One list, verified. `statuses` is packed, `bits` for each, the first in the least significant bits of the first
    byte (Token Status List §4.1). `key` signed it. Times are Unix seconds.
    """

    uri: str
    key: PublicKey
    iat: int
    exp: int | None
    bits: int
    statuses: bytes = field(repr=False)

    def status(self, idx: int) -> int:
        """0 is valid, and nothing else is. `idx` is not negative; raises IndexError where the list has no such one."""
        position = idx * self.bits
        return self.statuses[position >> 3] >> (position & 7) & ((1 << self.bits) - 1)

    def has(self, idx: int) -> bool:
        return idx * self.bits < 8 * len(self.statuses)

    def age(self, now: int) -> int:
        """Seconds since it was signed, whenever it was fetched."""
        return max(0, now - self.iat)

    def is_expired(self, now: int) -> bool:
        return self.exp is not None and now - self.exp > LEEWAY

    def says_the_same_as(self, other: "StatusList") -> bool:
        return self.bits == other.bits and self.statuses == other.statuses


class StatusReference(BaseModel):
    """Where an access token's status stands: the place `idx` of the list `uri` (Token Status List §6.2)."""

    model_config = _STRICT

    idx: Annotated[int, Field(ge=0)]
    uri: Annotated[str, AfterValidator(check_url)]


class _Status(BaseModel):
    """The claim `status`. Other mechanisms may stand in it, which we do not know (Token Status List §6.1)."""

    model_config = _STRICT

    status_list: StatusReference


def status_reference(claims: AccessTokenClaims) -> StatusReference | None:
    """What the token says about where its status stands, or None when it has no status. Raises ValueError."""
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


def kid_of(token: str) -> str:
    """Which key a Status List Token names. Raises ValueError for what is none."""
    try:
        return parse_header(token, STATUS_LIST).kid
    except InvalidToken as refused:
        raise ValueError(f"no status list: {refused.__cause__}") from refused


def read_status_list(token: str, *, uri: str, key: PublicKey, now: int) -> StatusList:
    """The list in a Status List Token that was fetched from `uri` and that `key` has signed.

    It may be expired: what it said about revoked tokens stays true, so that is for the caller to judge. Takes up to
    some 100 ms for the largest. Raises ValueError for all that is not right with it. Token Status List §8.3.
    """
    try:
        payload = verify_signature(token, STATUS_LIST, {key.kid: key}.__getitem__)
    except InvalidToken as refused:
        raise ValueError(f"no status list of the issuer: {refused.__cause__}") from refused
    claims = _StatusListClaims.model_validate(payload)
    if claims.sub != uri:
        raise ValueError("the status list of another address")
    if claims.iat - now > LEEWAY:
        raise ValueError("a status list of the future")
    if claims.status_list.bits not in (1, 2, 4, 8):
        raise ValueError("a status list of an unknown size of status")
    statuses = _decompress(base64url.decode(claims.status_list.lst))
    return StatusList(uri, key, claims.iat, claims.exp, claims.status_list.bits, statuses)


def _decompress(data: bytes) -> bytes:
    """ZLIB (RFC 1950), one whole stream and nothing behind it; never more than we would keep."""
    stream = zlib.decompressobj()
    try:
        statuses = stream.decompress(data, MAX_STATUSES_BYTES + 1)
    except zlib.error as broken:
        raise ValueError("the status list cannot be decompressed") from broken
    if len(statuses) > MAX_STATUSES_BYTES:
        raise ValueError(f"the status list has more than {MAX_STATUSES_BYTES} bytes")
    if not stream.eof or stream.unused_data:
        raise ValueError("the status list is cut off, or something follows it")
    return statuses
