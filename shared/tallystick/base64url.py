"""base64url without padding (RFC 7515 §2), with exactly one spelling for each value."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `text`. Raises ValueError for padding, white space, another alphabet, or unused bits set."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The standard library skips unknown characters and ignores unused bits.
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
