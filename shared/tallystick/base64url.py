"""base64url without padding (RFC 7515 §2), where every value has exactly one spelling."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `text`. Raises ValueError for padding, white space, another alphabet, or a second spelling."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The standard library skips what it does not know, and ignores the bits that fill no byte.
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
