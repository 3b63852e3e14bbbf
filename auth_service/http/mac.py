"""Message authentication codes for values that a browser or a client keeps and sends back."""

import hmac
import json


def mac(key: bytes, purpose: str, *parts: str) -> bytes:
    """HMAC-SHA256 over `purpose` and `parts`."""
    return hmac.digest(key, encode_parts(purpose, *parts), "sha256")


def encode_parts(purpose: str, *parts: str) -> bytes:
    """`purpose` and `parts` as one text. Different purposes or parts never give the same text."""
    return json.dumps([purpose, *parts]).encode()
