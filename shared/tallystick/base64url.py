"""base64url without padding (RFC 7515 §2), where every value has exactly one spelling."""

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64

# The last character's unused bits must be zero; otherwise sixteen texts would mean the same byte.
_CANONICAL = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]|[A-Za-z0-9_-][AQgw])?")
_TO_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `text`. Raises ValueError for padding, white space, another alphabet, or a second spelling."""
    if not _CANONICAL.fullmatch(text):
        raise ValueError("not canonical base64url")
    return a2b_base64(text.translate(_TO_STANDARD_ALPHABET) + "=" * (-len(text) % 4))
